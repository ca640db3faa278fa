using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>What pools of the programs themselves told of (native/include/nativeheap.h). All of it is in the totals, and so is
/// the memory that it lies in.</summary>
/// <param name="Blocks">Blocks ever.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="LiveBlocks">Of them, not taken back by the end.</param>
/// <param name="LiveBytes">Their bytes.</param>
public readonly record struct PoolTotals(long Blocks, long Bytes, long LiveBlocks, long LiveBytes)
{
    /// <exception cref="OverflowException">No 64-bit number holds a sum.</exception>
    internal static PoolTotals Of(TraceReader trace, ProcessSelection selection)
    {
        var locations = trace.Locations;
        var pools = Enumerable.Range(1, locations.Count).Select(id => new LocationId(id))
            .Where(id => locations[id] is { Kind: FrameKind.Entry, Offset: (ulong)EntryPoint.Pool }).ToHashSet();
        var sum = default(PoolTotals);
        if (pools.Count == 0)
        {
            return sum;
        }

        foreach (var row in trace.StackTotals())
        {
            if (selection.Contains(row.Process) && pools.Contains(trace.Stacks.Location(row.Stack)))
            {
                sum = checked(new PoolTotals(
                    sum.Blocks + row.Allocations,
                    sum.Bytes + row.AllocatedBytes,
                    sum.LiveBlocks + row.Allocations - row.Frees,
                    sum.LiveBytes + row.AllocatedBytes - row.FreedBytes));
            }
        }

        return sum;
    }
}
