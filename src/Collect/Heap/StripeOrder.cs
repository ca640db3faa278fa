using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>What is to be done with an operation that just came.</summary>
internal enum Turn
{
    /// <summary>Apply it, then ask for the parked ones of its stripe.</summary>
    Now,

    /// <summary>It was parked until its predecessors come.</summary>
    Parked,

    /// <summary>Its number was passed over before: apply it, nothing waits for it.</summary>
    Late,
}

/// <summary>
/// Order across threads (docs/decisions/002): the operations of a stripe are applied in the order of their consecutive
/// numbers, from 1, whatever ring they come by. One for each process. For one thread.
/// </summary>
internal sealed unsafe class StripeOrder : IDisposable
{
    /// <summary>Most operations parked at once; more can only mean that a number will never come.</summary>
    public const int MostParked = 1 << 20;

    private readonly uint* _last; // the number applied last; 0: none yet
    private readonly Dictionary<ulong, HeapOperation> _parked = [];
    private int* _parkedByStripe; // made when something is parked for the first time

    public StripeOrder()
    {
        _last = (uint*)NativeMemory.AllocZeroed(WireConstants.OrderStripes, sizeof(uint));
    }

    /// <summary>Operations that wait for a predecessor.</summary>
    public int Parked { get; private set; }

    /// <summary>Numbers passed over that have not come since.</summary>
    public long Missing { get; private set; }

    /// <summary>The stripe of an address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Stripe(ulong address) =>
        (uint)(((address >> 4) * WireConstants.StripeMultiplier) >> (int)WireConstants.StripeShift);

    /// <summary>Starts to load a stripe's number into the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint stripe)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(_last + stripe);
        }
    }

    /// <summary>Takes a number whose turn it is: its operation is applied, then the parked ones are asked for. False,
    /// and nothing happens, when it is another's turn: then <see cref="Take"/> it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(uint stripe, uint order)
    {
        ref var last = ref _last[stripe];
        if (last + 1 != order)
        {
            return false;
        }

        last = order;
        return true;
    }

    /// <summary>The same for a number and the one after it. Nothing happens when only the first's turn has come.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeBoth(uint stripe, uint order, uint next)
    {
        ref var last = ref _last[stripe];
        if (last + 1 != order || order + 1 != next)
        {
            return false;
        }

        last = next;
        return true;
    }

    /// <summary>Says whose turn it is; parks the operation when it is early.</summary>
    public Turn Take(uint stripe, in HeapOperation operation) =>
        TryTake(stripe, operation.Order) ? Turn.Now : TakeOutOfTurn(stripe, operation);

    /// <summary>Whether operations of a stripe wait.</summary>
    public bool HasParked(uint stripe) => _parkedByStripe is not null && _parkedByStripe[stripe] != 0;

    /// <summary>The parked operation whose turn it is now in a stripe.</summary>
    public bool TryUnpark(uint stripe, out HeapOperation operation)
    {
        if (!HasParked(stripe)
            || !_parked.Remove(Key(stripe, _last[stripe] + 1), out operation))
        {
            operation = default;
            return false;
        }

        Parked--;
        _parkedByStripe[stripe]--;
        _last[stripe]++;
        return true;
    }

    /// <summary>Gives out everything that is parked, by stripe and number; gaps are counted as missing.</summary>
    /// <param name="apply">Called for each; must not come back to this object.</param>
    public void PassOverGaps(Action<HeapOperation> apply)
    {
        var waiting = new List<(uint Stripe, uint Distance, HeapOperation Operation)>(_parked.Count);
        foreach (var (key, operation) in _parked)
        {
            var stripe = (uint)(key >> 32);
            waiting.Add((stripe, operation.Order - _last[stripe], operation));
        }

        waiting.Sort((a, b) => (a.Stripe, a.Distance).CompareTo((b.Stripe, b.Distance)));
        _parked.Clear();
        Parked = 0;
        foreach (var (stripe, _, operation) in waiting)
        {
            _parkedByStripe[stripe]--;
            Missing += operation.Order - _last[stripe] - 1;
            _last[stripe] = operation.Order;
            apply(operation);
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_last);
        NativeMemory.Free(_parkedByStripe);
        _parkedByStripe = null;
        _parked.Clear();
    }

    private static ulong Key(uint stripe, uint order) => ((ulong)stripe << 32) | order;

    private Turn TakeOutOfTurn(uint stripe, in HeapOperation operation)
    {
        // Numbers wrap; half of their range is far more than can be under way.
        if ((int)(operation.Order - _last[stripe]) <= 0)
        {
            Missing = Math.Max(0, Missing - 1);
            return Turn.Late;
        }

        var parked = operation;
        parked.Delayed = true;
        if (!_parked.TryAdd(Key(stripe, operation.Order), parked))
        {
            return Turn.Late; // the same number twice: no shim of ours does that
        }

        if (_parkedByStripe is null)
        {
            _parkedByStripe = (int*)NativeMemory.AllocZeroed(WireConstants.OrderStripes, sizeof(int));
        }

        Parked++;
        _parkedByStripe[stripe]++;
        return Turn.Parked;
    }
}
