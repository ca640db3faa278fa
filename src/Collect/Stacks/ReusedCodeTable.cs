using NativeHeap.Wire;

namespace NativeHeap.Collect.Stacks;

/// <summary>Takes over what the shim says of code that had an address for a while. For one thread.</summary>
internal sealed class ReusedCodeTable(RegionView region, StackRegistry registry)
{
    private const int EpochShift = (int)WireConstants.ReuseEpochShift;

    private readonly List<int> _unfilled = [];
    private int _seen;

    /// <summary>Reads what is new.</summary>
    /// <param name="owner">The process of a slot, null when there is none.</param>
    public void Refresh(Func<uint, TrackedProcess?> owner)
    {
        _unfilled.RemoveAll(index => TryTake(index, owner));
        for (var count = region.ReusedCount; _seen < count; _seen++)
        {
            if (!TryTake(_seen, owner))
            {
                _unfilled.Add(_seen);
            }
        }
    }

    private bool TryTake(int index, Func<uint, TrackedProcess?> owner)
    {
        if (!region.TryReadReused(index, out var record) || owner(record.Slot) is not { } process)
        {
            return false;
        }

        registry.Reused[(process.Id, record.Pc & WireConstants.CodeAddressMask, (int)(record.Pc >> EpochShift))] =
            new CodeSighting(record.SeenNs, record.Method);
        return true;
    }
}

/// <summary>A moment at which code was on a stack.</summary>
/// <param name="SeenNs">CLOCK_MONOTONIC, exact.</param>
/// <param name="Method">The runtime's number of the method; 0: unknown.</param>
internal readonly record struct CodeSighting(ulong SeenNs, ulong Method);
