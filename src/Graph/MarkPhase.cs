using System.Runtime.InteropServices;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>
/// Marks what roots hold, block by block. A pointer to a block's start, or one that a heuristic takes for such, from a
/// root or a reachable block makes a block reachable; any other pointer into it makes it possibly lost, and all that only
/// such a block points to. (The classes of memcheck: valgrind manual, 4.2.8.)
/// </summary>
internal sealed class MarkPhase : IDisposable
{
    private readonly HeapBlocks _blocks;
    private readonly LeakHeuristics _heuristics;
    private readonly IMemoryReader _memory;
    private readonly SharedWork _shared;
    private readonly MarkWorker[] _workers;

    /// <param name="blocks">The blocks.</param>
    /// <param name="index">Of the blocks.</param>
    /// <param name="pointers">Between the blocks.</param>
    /// <param name="heuristics">What else holds a block.</param>
    /// <param name="memory">The process's.</param>
    /// <param name="workers">How many threads.</param>
    /// <param name="cancellation">Ends it when it takes too long.</param>
    public MarkPhase(
        HeapBlocks blocks,
        BlockIndex index,
        PointerGraph pointers,
        LeakHeuristics heuristics,
        IMemoryReader memory,
        int workers,
        CancellationToken cancellation)
    {
        _blocks = blocks;
        _heuristics = heuristics;
        _memory = memory;
        _shared = new SharedWork(workers);
        _workers = [.. Enumerable.Range(0, workers).Select(_ => new MarkWorker(blocks, index, pointers, _shared, cancellation))];
    }

    /// <summary>By block that is possibly lost: where a pointer into it lies; 0: in a register.</summary>
    public Dictionary<int, ulong> PointedFrom { get; } = [];

    /// <summary>Marks everything.</summary>
    /// <param name="roots">Where to begin.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public void Run(RootSet roots)
    {
        foreach (var word in roots.Words)
        {
            _workers[0].Reach(word, 0);
        }

        var next = -1;
        Together(worker =>
        {
            for (var i = Interlocked.Increment(ref next); i < roots.Ranges.Count; i = Interlocked.Increment(ref next))
            {
                worker.ScanRoot(roots.Ranges[i], _memory);
            }

            worker.Flood(BlockState.Reachable);
        });
        MarkInterior();
    }

    public void Dispose()
    {
        foreach (var worker in _workers)
        {
            worker.Dispose();
        }
    }

    private void Together(Action<MarkWorker> work)
    {
        _shared.Begin();
        Workers.Run(_workers.Length, worker => work(_workers[worker]));
    }

    // A heuristic reads the block, which is dear: only for those that nothing else has reached. What it finds may reach
    // others in turn.
    private void MarkInterior()
    {
        var interior = new List<HeapPointer>();
        while (TakeInterior(interior) is var from && from < interior.Count)
        {
            for (var i = from; i < interior.Count; i++)
            {
                var pointer = interior[i];
                ref var block = ref _blocks[pointer.Target];
                if (BlockState.Of(block) == BlockState.Unreached
                    && pointer.Location != 0 && _heuristics.Holds(block, block.Address + pointer.Offset))
                {
                    _workers[i % _workers.Length].Push(pointer.Target, BlockState.Reachable);
                }
            }

            Together(worker => worker.Flood(BlockState.Reachable));
        }

        for (var i = 0; i < interior.Count; i++)
        {
            var (block, _, location) = interior[i];
            if (BlockState.Of(_blocks[block]) == BlockState.Unreached)
            {
                _workers[i % _workers.Length].Push(block, BlockState.Possible);
                PointedFrom.TryAdd(block, location);
            }
        }

        Together(worker => worker.Flood(BlockState.Possible));
        LocatePointers();
    }

    // In the order of their addresses, for whoever reads them.
    private int TakeInterior(List<HeapPointer> to)
    {
        var before = to.Count;
        foreach (var worker in _workers)
        {
            to.AddRange(worker.Interior.Where(found => BlockState.Of(_blocks[found.Target]) == BlockState.Unreached));
            worker.Interior.Clear();
        }

        CollectionsMarshal.AsSpan(to)[before..].Sort((a, b) => (a.Target, a.Location).CompareTo((b.Target, b.Location)));
        return before;
    }

    // Where a pointer to a start lies was not kept: the block that it lies in is looked through again.
    private void LocatePointers()
    {
        var unknown = new HashSet<int>();
        var sources = new SortedSet<int>();
        foreach (var (block, (source, location)) in _workers.SelectMany(worker => worker.PointedFrom))
        {
            if (location != 0)
            {
                PointedFrom.TryAdd(block, location);
            }
            else if (!PointedFrom.ContainsKey(block) && unknown.Add(block))
            {
                sources.Add(source);
            }
        }

        foreach (var source in sources)
        {
            _workers[0].Locate(source, _memory, (block, location) =>
            {
                if (unknown.Remove(block))
                {
                    PointedFrom.Add(block, location);
                }
            });
        }
    }
}
