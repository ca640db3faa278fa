using NativeHeap.Collect.Heap;

namespace NativeHeap.Collect.Mappings;

/// <summary>
/// The anonymous memory that one process has mapped itself, as its events tell it. They are applied in the order of their
/// numbers, whatever rings they come by. Not trusted, and bounded. For one thread.
/// </summary>
/// <remarks>A mapping lives until its last page is unmapped; unmapping a part of it ends its bytes alone. What was mapped
/// by other ways than the program's calls of mmap (the loader, libc for itself) is not known, and unmapping it says nothing.
/// </remarks>
internal sealed class MappedSpace
{
    private const int MostParked = 1 << 16;
    private const ulong MostBytes = LiveBlock.MaxBytes;

    private readonly Dictionary<uint, MappedStack> _byNode = [];
    private readonly Dictionary<uint, MappingOperation> _parked = [];
    private readonly MappedRanges _ranges = new();
    private uint _last; // the number applied last
    private ulong _epochTaken;

    /// <summary>Mappings and their bytes now, and at their peak.</summary>
    public LiveTotal Live { get; } = new();

    /// <summary>Everything by stack, in the order of first use.</summary>
    public List<MappedStack> Stacks { get; } = [];

    /// <summary>Numbers passed over that have not come since.</summary>
    public long Missing { get; private set; }

    /// <summary>Mappings, or parts, that could not be followed because there were too many: they do not count.</summary>
    public long Unfollowed { get; private set; }

    /// <summary>Anything to write since the last commit.</summary>
    public bool Changed { get; set; } = true;

    /// <summary>The stacks whose rows have changed since the last call, by the trace's stack, with all leaves that are the same one;
    /// those that are not known yet stay changed.</summary>
    public IReadOnlyList<IGrouping<int, MappedStack>> TakeChanged()
    {
        if (_epochTaken != Live.Epoch)
        {
            // What a stack had at a peak that was passed since is what it has.
            Stacks.ForEach(stack => stack.Changed |= stack.KeepsPeak(_epochTaken));
            _epochTaken = Live.Epoch;
        }

        var changed = Stacks.Where(stack => stack is { Changed: true, StackId: not 0 }).Select(stack => stack.StackId).ToHashSet();
        var groups = Stacks.Where(stack => changed.Contains(stack.StackId)).GroupBy(stack => stack.StackId).ToList();
        Stacks.ForEach(stack => stack.Changed &= stack.StackId == 0);
        return groups;
    }

    /// <summary>Takes what a number stands for; it is applied now or when its turn has come.</summary>
    public void Submit(uint order, in MappingOperation operation)
    {
        if (_last + 1 == order)
        {
            Apply(order, operation);
            while (_parked.Count != 0 && _parked.Remove(_last + 1, out var next))
            {
                Apply(_last + 1, next);
            }
        }
        else if ((int)(order - _last) <= 0) // numbers wrap
        {
            Missing = Math.Max(0, Missing - 1);
            Apply(_last, operation);
        }
        else if (_parked.TryAdd(order, operation) && _parked.Count >= MostParked)
        {
            PassOverGaps(areLost: true);
        }
    }

    /// <summary>Applies what waits for numbers that will not come.</summary>
    /// <param name="areLost">Whether those count as lost.</param>
    public void PassOverGaps(bool areLost)
    {
        foreach (var order in _parked.Keys.OrderBy(order => order - _last).ToList())
        {
            Missing += areLost ? order - _last - 1 : 0;
            Apply(order, _parked[order]);
        }

        _parked.Clear();
    }

    private void Apply(uint order, in MappingOperation operation)
    {
        _last = order;
        Changed = true;
        if (operation.Kind == MappingKind.Nothing || operation.Start == 0 || operation.Bytes is 0 or > MostBytes)
        {
            return;
        }

        var (start, end) = (operation.Start, operation.Start + operation.Bytes);
        switch (operation.Kind)
        {
            case MappingKind.Unmap:
                operation.Moved?.Know(_ranges.Knows(start, end));
                Cut(start, end);
                break;
            case MappingKind.Keep:
                operation.Moved?.Know(_ranges.Knows(start, end));
                break;
            case MappingKind.Map:
                Cut(start, end);
                if (operation.Node != 0 && operation.Moved is not { WasKnown: false })
                {
                    Map(start, end, operation);
                }

                break;
        }
    }

    private void Map(ulong start, ulong end, in MappingOperation operation)
    {
        if (!_byNode.TryGetValue(operation.Node, out var stack))
        {
            stack = new MappedStack(operation.Node, operation.TimeMs);
            _byNode.Add(operation.Node, stack);
            Stacks.Add(stack);
        }

        if (!_ranges.TryAdd(start, end, new Mapping(stack) { Left = end - start }))
        {
            Unfollowed++;
            return;
        }

        stack.Begin((long)(end - start), Live.Epoch);
        Live.Rise(1, (long)(end - start), operation.TimeMs);
        Live.Move(1, (long)(end - start));
    }

    private void Cut(ulong start, ulong end)
    {
        var all = _ranges.Cut(start, end, (mapping, bytes) =>
        {
            mapping.Left -= bytes;
            mapping.Stack.End((long)bytes, mapping.Left == 0, Live.Epoch);
            Live.Move(mapping.Left == 0 ? -1 : 0, -(long)bytes);
        });
        Unfollowed += all ? 0 : 1;
    }
}

/// <summary>What one number of a process's mappings stands for.</summary>
internal enum MappingKind : byte
{
    /// <summary>A call failed; only the number is used up.</summary>
    Nothing,

    /// <summary>A range is mapped, by a leaf (0: it is no anonymous memory); what was there is over.</summary>
    Map,

    /// <summary>A range is over.</summary>
    Unmap,

    /// <summary>A range stays, and is mapped at a second place.</summary>
    Keep,
}

/// <summary>One numbered operation on a range of whole pages.</summary>
internal readonly record struct MappingOperation(
    MappingKind Kind, ulong Start = 0, ulong Bytes = 0, uint Node = 0, uint TimeMs = 0)
{
    /// <summary>Set in both operations of a mremap.</summary>
    public MovedRange? Moved { get; init; }
}

/// <summary>Whether what mremap moved was known; files are not.</summary>
internal sealed class MovedRange
{
    /// <summary>As of the operation on the old range, which has the lower number.</summary>
    public bool WasKnown { get; private set; }

    public void Know(bool known) => WasKnown = known;
}
