using NativeHeap.Graph.Objects;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Malloc;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>Finds the blocks of a held process that nothing holds.</summary>
public static class LeakFinder
{
    /// <summary>Looks through a process's memory.</summary>
    /// <param name="held">The process; it may go on as soon as this returns.</param>
    /// <param name="blocks">Its live blocks; they are put in order, and their state is used.</param>
    /// <param name="options">What else is known of its memory.</param>
    /// <param name="cancellation">Ends the search when it takes too long.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static LeakGraph Find(IHeldProcess held, HeapBlocks blocks, RootOptions options, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentNullException.ThrowIfNull(blocks);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blocks.Count, PointerGraph.MostBlocks);
        blocks.Sort();
        using var memory = new PageCache(held.Memory);
        var geometry = HeapGeometry.Read(memory, MallocHeap.Read(memory, held.Mappings), blocks);
        cancellation.ThrowIfCancellationRequested();
        using var index = new BlockIndex(blocks);
        var roots = RootSet.Find(held, geometry, blocks, index, options, cancellation);
        using var modules = new ModuleMap(held.Mappings, string.Empty);
        using var tables = new BlockTables(blocks);
        var workers = Workers.For(blocks.Count);
        using var pointers = PointerScan.Find(held, blocks, index, tables, (modules.Low, modules.High), workers, cancellation);
        var heuristics = new LeakHeuristics(memory, held.Mappings);
        using var mark = new MarkPhase(blocks, index, pointers, heuristics, held.Memory, workers, cancellation);
        mark.Run(roots);
        return Describe(blocks, mark, pointers, tables, [.. held.Notes, .. geometry.Notes, .. roots.Notes]);
    }

    private static LeakGraph Describe(
        HeapBlocks blocks, MarkPhase mark, PointerGraph pointers, BlockTables tables, IReadOnlyList<string> notes)
    {
        var reachable = new Dictionary<int, HeldBlocks>();
        var found = new List<LeakBlock>();
        var places = new List<int>();
        for (var i = 0; i < blocks.Count; i++)
        {
            ref var block = ref blocks[i];
            switch (BlockState.Of(block))
            {
                case BlockState.Reachable:
                    var table = tables[i];
                    var sum = reachable.GetValueOrDefault(block.Stack, new HeldBlocks(block.Stack, 0, 0, block.Address) { Table = table });
                    reachable[block.Stack] = sum with
                    {
                        Bytes = sum.Bytes + (long)block.Bytes,
                        Blocks = sum.Blocks + 1,
                        Table = sum.Table == table ? table : 0,
                    };
                    break;
                case BlockState.Gone:
                    break;
                case var state:
                    var isPossible = state == BlockState.Possible;
                    ulong? from = isPossible && mark.PointedFrom.TryGetValue(i, out var address) ? address : null;
                    places.Add(i);
                    found.Add(new LeakBlock(block.Address, block.Bytes, block.Stack, isPossible, from) { Table = tables[i] });
                    break;
            }
        }

        var (first, targets) = Connect(blocks, pointers, places);
        return new LeakGraph
        {
            Blocks = found,
            FirstTarget = first,
            Targets = targets,
            Reachable = [.. reachable.Values],
            Notes = notes,
        };
    }

    // Pointers between blocks that are not surely held.
    private static (int[] First, int[] Targets) Connect(HeapBlocks blocks, PointerGraph pointers, List<int> places)
    {
        var first = new int[places.Count + 1];
        using var targets = new NativeList<int>();
        for (var i = 0; i < places.Count; i++)
        {
            first[i] = targets.Count;
            var reader = pointers.Of(blocks[places[i]]);
            while (reader.TryNext(out var pointer))
            {
                if (BlockState.Of(blocks[pointer.Target]) is BlockState.Unreached or BlockState.Possible)
                {
                    targets.Add(places.BinarySearch(pointer.Target));
                }
            }
        }

        first[^1] = targets.Count;
        return (first, targets.Items.ToArray());
    }
}
