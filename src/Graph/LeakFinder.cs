using NativeHeap.Graph.Objects;
using NativeHeap.Memory;
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
    /// <param name="mostCopied">Bytes of it that may be kept here at a time.</param>
    /// <param name="cancellation">Ends the search when it takes too long.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static LeakGraph Find(
        IHeldProcess held, HeapBlocks blocks, RootOptions options, long mostCopied, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentNullException.ThrowIfNull(blocks);
        ArgumentNullException.ThrowIfNull(options);
        blocks.Sort();
        using var copy = new TargetCopy(held.Memory, mostCopied, ExpectedBytes(blocks));
        foreach (var mapping in held.Mappings.Where(mapping => mapping.Path == "[heap]"))
        {
            copy.Load(new AddressRange(mapping.Start, mapping.End));
        }

        var geometry = HeapGeometry.Read(copy, MallocHeap.Read(copy, held.Mappings), blocks);
        cancellation.ThrowIfCancellationRequested();
        using var index = new BlockIndex(blocks);
        var roots = RootSet.Find(held, geometry, blocks, index, options, cancellation);
        var heuristics = new LeakHeuristics(copy, held.Mappings);
        using var mark = new MarkPhase(blocks, index, copy, heuristics, cancellation);
        mark.Run(roots, held.Memory);
        using var modules = new ModuleMap(held.Mappings, string.Empty);
        return Describe(blocks, mark, new TableFinder(copy, modules.Low, modules.High), [.. held.Notes, .. geometry.Notes, .. roots.Notes], cancellation);
    }

    /// <summary>Looks for pointers to virtual tables; whether there is one, files say later, when the process runs on.</summary>
    private readonly struct TableFinder(TargetCopy memory, ulong low, ulong high)
    {
        public ulong Find(in HeapBlock block) => VirtualTables.CandidateOf(block, memory, low, high)?.Table ?? 0;
    }

    // Blocks, and about as much beside them.
    private static long ExpectedBytes(HeapBlocks blocks)
    {
        var sum = 0L;
        for (var i = 0; i < blocks.Count; i++)
        {
            sum += (long)blocks[i].Bytes + 32;
        }

        return sum;
    }

    private static LeakGraph Describe(
        HeapBlocks blocks, MarkPhase mark, TableFinder tables, IReadOnlyList<string> notes, CancellationToken cancellation)
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
                    var table = tables.Find(block);
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
                    block.Link = found.Count;
                    places.Add(i);
                    found.Add(new LeakBlock(block.Address, block.Bytes, block.Stack, isPossible, from) { Table = tables.Find(block) });
                    break;
            }
        }

        var (first, targets) = Connect(blocks, mark, places, cancellation);
        return new LeakGraph
        {
            Blocks = found,
            FirstTarget = first,
            Targets = targets,
            Reachable = [.. reachable.Values],
            Notes = notes,
        };
    }

    private static (int[] First, int[] Targets) Connect(
        HeapBlocks blocks, MarkPhase mark, List<int> places, CancellationToken cancellation)
    {
        var first = new int[places.Count + 1];
        using var targets = new NativeList<int>();
        for (var i = 0; i < places.Count; i++)
        {
            first[i] = targets.Count;
            mark.AddTargets(places[i], targets);
            if ((i & 0xFFF) == 0)
            {
                cancellation.ThrowIfCancellationRequested();
            }
        }

        first[^1] = targets.Count;
        return (first, targets.Items.ToArray());
    }
}
