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
    private readonly TargetCopy _copy;
    private readonly LeakHeuristics _heuristics;
    private readonly SharedWork _shared;
    private readonly MarkWorker[] _workers;

    public MarkPhase(
        HeapBlocks blocks, BlockIndex index, TargetCopy copy, LeakHeuristics heuristics, CancellationToken cancellation)
    {
        _blocks = blocks;
        _copy = copy;
        _heuristics = heuristics;
        // Few blocks are marked before another thread has begun; and memory that does not fit is copied by one alone.
        var count = blocks.Count < FewBlocks || !copy.KeepsAll ? 1 : Math.Min(Environment.ProcessorCount, MostWorkers);
        _shared = new SharedWork(count);
        _workers = [.. Enumerable.Range(0, count).Select(_ => new MarkWorker(blocks, index, copy, _shared, cancellation))];
    }

    private const int FewBlocks = 20_000;
    private const int MostWorkers = 8;

    /// <summary>By block that is possibly lost: where a pointer into it lies; 0: in a register.</summary>
    public Dictionary<int, ulong> PointedFrom { get; } = [];

    /// <summary>Marks everything.</summary>
    /// <param name="roots">Where to begin.</param>
    /// <param name="memory">The process's, for roots: they are read once and not kept.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public void Run(RootSet roots, IMemoryReader memory)
    {
        foreach (var word in roots.Words)
        {
            _workers[0].Reach(word, 0, BlockState.Reachable);
        }

        var next = -1;
        Together(worker =>
        {
            for (var i = Interlocked.Increment(ref next); i < roots.Ranges.Count; i = Interlocked.Increment(ref next))
            {
                worker.ScanRoot(roots.Ranges[i], memory);
            }

            worker.Flood(BlockState.Reachable);
        });
        MarkInterior();
    }

    /// <summary>Appends the links of all blocks not surely held that a block has a pointer to or into.</summary>
    public void AddTargets(int block, NativeList<int> to) => _workers[0].AddTargets(block, to);

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
        if (_workers.Length == 1)
        {
            work(_workers[0]);
            return;
        }

        try
        {
            Parallel.ForEach(
                _workers, new ParallelOptions { MaxDegreeOfParallelism = _workers.Length }, (worker, _) => work(worker));
        }
        catch (AggregateException error) when (error.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            throw new OperationCanceledException("it took too long", error);
        }
    }

    // A heuristic reads the block, which is dear: only for those that nothing else has reached. What it finds may reach
    // others in turn.
    private void MarkInterior()
    {
        var interior = new List<(int Block, ulong From)>();
        while (TakeInterior(interior) is var from && from < interior.Count)
        {
            for (var i = from; i < interior.Count; i++)
            {
                var (block, at) = interior[i];
                if (BlockState.Of(_blocks[block]) == BlockState.Unreached && HoldsAt(block, at))
                {
                    _workers[i % _workers.Length].Push(block, BlockState.Reachable);
                }
            }

            Together(worker => worker.Flood(BlockState.Reachable));
        }

        for (var i = 0; i < interior.Count; i++)
        {
            var (block, from) = interior[i];
            if (BlockState.Of(_blocks[block]) == BlockState.Unreached)
            {
                _workers[i % _workers.Length].Push(block, BlockState.Possible);
                PointedFrom.TryAdd(block, from);
            }
        }

        Together(worker => worker.Flood(BlockState.Possible));
        foreach (var (block, from) in _workers.SelectMany(worker => worker.PointedFrom))
        {
            PointedFrom.TryAdd(block, from);
        }
    }

    private int TakeInterior(List<(int Block, ulong From)> to)
    {
        var before = to.Count;
        foreach (var worker in _workers)
        {
            to.AddRange(worker.Interior.Where(found => BlockState.Of(_blocks[found.Block]) == BlockState.Unreached));
            worker.Interior.Clear();
        }

        return before;
    }

    private bool HoldsAt(int block, ulong from) =>
        from != 0 && _copy.TryReadWord(from, out var pointer) && _heuristics.Holds(_blocks[block], pointer);
}
