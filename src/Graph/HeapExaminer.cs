using NativeHeap.Collect.Checks;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>Looks at held processes for the recording: finds leaks, and hands them over as a trace keeps them.</summary>
public sealed class HeapExaminer : IHeapExaminer
{
    /// <inheritdoc/>
    public Func<byte[]> Examine(HeldHeap heap, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(heap);
        var options = new RootOptions
        {
            Excluded = heap.OwnMemory,
            Included = heap.RootRegions,
            Held = heap.Ignored,
            StackStarts = heap.StackStarts,
        };
        var graph = LeakFinder.Find(heap.Held, heap.Blocks, options, cancellation);
        return () => LeakGraphFormat.Write(LeakTypes.Name(graph, heap.Held));
    }

    /// <inheritdoc/>
    public byte[] NotFreed(HeapBlocks blocks, bool isLeaked, string? note)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        var sums = new Dictionary<int, HeldBlocks>();
        for (var i = 0; i < blocks.Count; i++)
        {
            ref var block = ref blocks[i];
            var sum = sums.GetValueOrDefault(block.Stack, new HeldBlocks(block.Stack, 0, 0, block.Address));
            sums[block.Stack] = sum with { Bytes = sum.Bytes + (long)block.Bytes, Blocks = sum.Blocks + 1 };
        }

        return LeakGraphFormat.Write(new LeakGraph
        {
            Blocks = [],
            FirstTarget = [0],
            Targets = [],
            Reachable = [],
            NotFreed = [.. sums.Values],
            NotFreedIsLeaked = isLeaked,
            Notes = note is null ? [] : [note],
        });
    }
}
