using System.Runtime.CompilerServices;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// What the reader of a ring calls, event by event, between <see cref="Begin"/> and <see cref="End"/>. An event whose turn it is
/// is counted at once, in the ring's stint; the others wait as operations.
/// </summary>
internal sealed unsafe partial class ProcessHeap
{
    // The ring that is read, and the time of its events.
    private int _readStream;
    private ushort _readThread;
    private uint _readMs;
    private ulong _lastBirth;

    /// <summary>A thread's events in a ring are read from now on, until <see cref="End"/>.</summary>
    /// <param name="stream">The ring's place in <see cref="Streams"/>.</param>
    /// <param name="thread">The thread's number.</param>
    /// <param name="timeMs">Time of the next events, in milliseconds since the trace's start.</param>
    public void Begin(int stream, ushort thread, uint timeMs)
    {
        _readStream = stream;
        _readThread = thread;
        _readMs = timeMs;
        _lastBirth = Threads[thread].LastBirth;
        Open(stream, thread, timeMs, isRead: false);
    }

    /// <summary>The next events have another time.</summary>
    public void SetTime(uint timeMs)
    {
        _readMs = timeMs;
        if (_buckets.Of(timeMs) == _bucket)
        {
            _timeMs = timeMs;
        }
        else
        {
            Settle();
            Open(_readStream, _readThread, timeMs, isRead: false);
        }
    }

    /// <summary>Sums are right until the next <see cref="Begin"/>.</summary>
    public void End()
    {
        Settle();
        Threads[_readThread].LastBirth = _lastBirth;
    }

    /// <summary>Starts to load what events will need, where that is more than the processor's own cache holds.</summary>
    /// <param name="places">Their records; the address is in the first word.</param>
    /// <param name="count">How many.</param>
    public void Prefetch(RingPlace* places, int count)
    {
        if (!Blocks.IsLarge)
        {
            return;
        }

        for (var i = 0; i < count; i++)
        {
            var address = places[i].Word & WireConstants.AddressMask;
            _order.Prefetch(StripeOrder.Stripe(address));
            Blocks.PrefetchGroup(address);
        }

        for (var i = 0; i < count; i++)
        {
            Blocks.PrefetchPlace(places[i].Word & WireConstants.AddressMask);
        }
    }

    /// <summary>A block is born that was recorded because all are.</summary>
    /// <param name="address">Not 0.</param>
    /// <param name="size">At most <see cref="LiveBlock.MaxBytes"/> is counted.</param>
    /// <param name="node">Leaf of its stack.</param>
    /// <param name="order">Its number in the address's stripe.</param>
    public void Birth(ulong address, ulong size, uint node, uint order)
    {
        size = Math.Min(size, LiveBlock.MaxBytes);
        _lastBirth = address;
        var stripe = StripeOrder.Stripe(address);
        if (_order.TryTake(stripe, order))
        {
            CountBirth(address, size, node, order, rate: 0);
            if (_order.Parked != 0)
            {
                Unpark(stripe);
            }
        }
        else
        {
            DeferBirth(address, size, node, order, rate: 0);
        }
    }

    /// <summary>A block is born that was recorded as one of many.</summary>
    /// <param name="address">Not 0.</param>
    /// <param name="size">At most <see cref="LiveBlock.MaxBytes"/> is counted.</param>
    /// <param name="node">Leaf of its stack.</param>
    /// <param name="order">Its number in the address's stripe.</param>
    /// <param name="rate">Number of its rate (<see cref="Rates"/>), from 1.</param>
    public void SampledBirth(ulong address, ulong size, uint node, uint order, byte rate)
    {
        _lastBirth = address;
        DeferBirth(address, Math.Min(size, LiveBlock.MaxBytes), node, order, rate);
    }

    /// <summary>A block of which every birth is recorded is freed.</summary>
    /// <param name="address">Not 0.</param>
    /// <param name="order">Its number in the address's stripe.</param>
    public void Death(ulong address, uint order)
    {
        var temporary = _lastBirth == address;
        if (temporary)
        {
            _lastBirth = 0;
        }

        var stripe = StripeOrder.Stripe(address);
        if (_order.TryTake(stripe, order))
        {
            CountDeath(address, temporary);
            if (_order.Parked != 0)
            {
                Unpark(stripe);
            }
        }
        else
        {
            DeferDeath(address, order, temporary);
        }
    }

    /// <summary>A block is freed while births are sampled: it may be one of those that were let pass.</summary>
    /// <param name="address">Not 0.</param>
    /// <param name="order">Its number in the address's stripe.</param>
    public void DeathAmongSamples(ulong address, uint order)
    {
        // The thread may have let allocations pass since: whether the block was temporary is not known.
        var operation = Operation(OperationKind.Death, address, order);
        operation.AmongSamples = true;
        Submit(operation);
    }

    /// <summary>A block is freed that the program knows as a sample.</summary>
    /// <param name="address">Not 0.</param>
    /// <param name="order">Its number in the address's stripe.</param>
    /// <param name="size">As the program remembers it.</param>
    /// <param name="rate">Number of its rate (<see cref="Rates"/>), from 1.</param>
    /// <param name="amongSamples">Whether births are sampled now.</param>
    /// <param name="temporary">Its thread has let no allocation pass since.</param>
    public void SampledDeath(ulong address, uint order, ulong size, byte rate, bool amongSamples, bool temporary)
    {
        var isLast = _lastBirth == address;
        _lastBirth = isLast ? 0 : _lastBirth;
        var operation = Operation(OperationKind.Death, address, order);
        operation.Bytes = Math.Min(size, LiveBlock.MaxBytes);
        operation.Rate = rate;
        operation.AmongSamples = amongSamples;
        operation.Temporary = temporary && isLast;
        Submit(operation);
    }

    /// <summary>A number was used up for an address to which nothing happened.</summary>
    public void Nothing(ulong address, uint order) => Submit(Operation(OperationKind.Nothing, address, order));

    /// <summary>The program wants no leak to be made of a block.</summary>
    public void Ignore(ulong address, uint order) => Submit(Operation(OperationKind.Ignored, address, order));

    /// <summary>Applies what still waits for numbers that will not come; they count as lost. Not while a ring is read.</summary>
    public void PassOverGaps()
    {
        if (_order.Parked != 0)
        {
            _order.PassOverGaps(operation => Apply(operation));
        }
    }

    private HeapOperation Operation(OperationKind kind, ulong address, uint order) => new()
    {
        Kind = kind,
        Address = address,
        Order = order,
        Pass = LastPass,
        Thread = _readThread,
        TimeMs = _readMs,
        Stream = _readStream,
    };

    private void DeferBirth(ulong address, ulong size, uint node, uint order, byte rate)
    {
        var operation = Operation(OperationKind.Birth, address, order);
        operation.Bytes = size;
        operation.Node = node;
        operation.Rate = rate;
        Settle();
        Streams[_readStream].Add(rate == 0 ? (long)size : BytesOfSample(operation), LastPass);
        Submit(operation);
    }

    private void DeferDeath(ulong address, uint order, bool temporary)
    {
        var operation = Operation(OperationKind.Death, address, order);
        operation.Temporary = temporary;
        Submit(operation);
    }

    // It is applied now or when its turn has come.
    private void Submit(in HeapOperation operation)
    {
        Settle();
        var stripe = StripeOrder.Stripe(operation.Address);
        switch (_order.Take(stripe, operation))
        {
            case Turn.Now:
                Apply(operation);
                ApplyParked(stripe);
                break;
            case Turn.Late:
                Apply(operation);
                break;
            case Turn.Parked when _order.Parked >= StripeOrder.MostParked:
                PassOverGaps();
                break;
        }

        Open(_readStream, _readThread, _readMs, isRead: false);
    }

    private void Unpark(uint stripe)
    {
        if (_order.HasParked(stripe))
        {
            Settle();
            ApplyParked(stripe);
            Open(_readStream, _readThread, _readMs, isRead: false);
        }
    }

    private void ApplyParked(uint stripe)
    {
        while (_order.TryUnpark(stripe, out var operation))
        {
            Apply(operation);
        }
    }

    // In a stint of its own.
    private void Apply(in HeapOperation operation)
    {
        if (operation.Kind == OperationKind.Ignored)
        {
            (_ignored ??= []).Add(operation.Address);
        }

        if (operation.Kind is not (OperationKind.Birth or OperationKind.Death))
        {
            return;
        }

        Open(operation.Stream, operation.Thread, operation.TimeMs, isRead: true);
        var freed = operation.Kind == OperationKind.Birth
            ? CountBirth(operation.Address, operation.Bytes, operation.Node, operation.Order, operation.Rate)
            : operation.Rate != 0 || operation.AmongSamples
                ? CountDeathAmongSamples(operation)
                : CountDeath(operation.Address, operation.Temporary);
        Settle();
        if (operation.Delayed && freed != 0)
        {
            Streams[operation.Stream].WasDelayed(freed, operation.Pass, LastPass);
        }
    }

    // Returns the bytes of a block that stood there still.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long CountBirth(ulong address, ulong size, uint node, uint order, byte rate)
    {
        var stack = (rate == 0 ? _indexByNode : Rates.IndexByNode(rate)).Find(node);
        if (stack < 0)
        {
            stack = AddStack(node, _thread, _timeMs, rate);
        }

        var block = new LiveBlock(address, size, luck: order, _timeMs, stack, _thread);
        var place = Blocks.Add(address, out var wasTaken);
        var displaced = wasTaken ? Displace(place) : 0;
        *place = block;
        if (Kept is not null && rate == 0)
        {
            Kept.Add(address); // it was under way when births began to be sampled
        }

        var (blocks, bytes) = rate == 0 ? (1, (long)size) : Rates.WeightOf(rate).Of(block);
        ref var total = ref Stacks[stack];
        total.BeforeChange(Live.Epoch, _trace.Epoch);
        if (total.Marks.Word != _usualMarks)
        {
            MarkBirth(ref total, stack, blocks, bytes);
        }

        if (total.OpenBucket != _bucket)
        {
            CarryCohorts(ref total, stack, Cohorts);
            total.OpenBucket = _bucket;
        }

        total.Allocations += blocks;
        total.AllocatedBytes += bytes;
        CountSize(ref total, stack, (long)size, blocks, bytes);
        _births += blocks;
        _birthBytes += bytes;
        _live += bytes;
        Rise();
        return displaced;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private long Displace(LiveBlock* previous)
    {
        Contradictions++;
        return Died(previous, temporary: false);
    }

    // Returns the bytes of the block.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long CountDeath(ulong address, bool temporary)
    {
        _ignored?.Remove(address);
        var block = Blocks.Get(address);
        if (block is null)
        {
            CountUnknown(1);
            return 0;
        }

        // The thread's last allocation may have been given back by another thread, and the address be someone else's.
        var bytes = Died(block, temporary && block->Thread == _thread);
        Blocks.Remove(block);
        return bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Died(LiveBlock* block, bool temporary) => block->BirthMs > _timeMs && _buckets.Of(block->BirthMs) != _bucket
        ? DiedLater(block, temporary)
        : CountDead(block, temporary);

    // Clocks of two rings may be a tick apart: no block dies before it is born.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long DiedLater(LiveBlock* block, bool temporary)
    {
        var (stream, thread, timeMs, isRead) = (_stream, _thread, _timeMs, _isRead);
        Settle();
        Open(stream, thread, block->BirthMs, isRead);
        var bytes = CountDead(block, temporary);
        Settle();
        Open(stream, thread, timeMs, isRead);
        return bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long CountDead(LiveBlock* block, bool temporary)
    {
        var stack = block->Stack;
        ref var total = ref Stacks[stack];
        var (blocks, bytes) = total.Marks.Rate == 0 ? (1, block->Bytes) : Rates.WeightOf(total.Marks.Rate).Of(*block);
        total.BeforeChange(Live.Epoch, _trace.Epoch);
        if (!total.Marks.IsUsualForDeath || Kept is not null)
        {
            MarkDeath(ref total, *block, blocks, bytes);
        }

        total.Frees += blocks;
        total.FreedBytes += bytes;
        if (temporary)
        {
            total.Temporary += blocks;
            total.TemporaryBytes += bytes;
            _temporary += blocks;
        }

        CountLifetime(ref total, stack, Math.Max(_timeMs, block->BirthMs) - block->BirthMs, blocks, bytes);
        Bury(ref total, stack, _buckets.Of(block->BirthMs), blocks, bytes);
        _deaths += blocks;
        _live -= bytes;
        _low = Math.Min(_low, _live);
        return bytes;
    }

    private void MarkBirth(ref StackTotal total, int stack, long blocks, long bytes)
    {
        MarkDirty(stack);
        if (total.Marks.Thread != _thread || total.Marks.Shared)
        {
            Share(stack);
            CountShare(ref total.Born, stack, _thread, freed: false, blocks, bytes);
        }
    }

    private void MarkDeath(ref StackTotal total, in LiveBlock block, long blocks, long bytes)
    {
        MarkDirty(block.Stack);
        if (total.Marks.Rate == 0)
        {
            Kept?.Remove(block.Address);
        }

        if (total.Marks.Shared)
        {
            CountShare(ref total.Freed, block.Stack, (ushort)block.Thread, freed: true, blocks, bytes);
        }
    }
}
