using NativeHeap.Collect.Heap;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>Makes rows of what changed in the counters of one process: cohorts, histograms, shares of threads. What belongs to
/// a stack of which nothing is known yet stays where it is. For the drain's thread.</summary>
internal sealed class CountRows
{
    private readonly TrackedProcess _process;
    private readonly TraceBatch _to;
    private readonly Sink _cohorts;
    private readonly Sink _histograms;
    private readonly Sink _shares;

    /// <summary>Rows of a process.</summary>
    /// <param name="process">Its threads have rows.</param>
    /// <param name="to">Gets the rows, in any order; those with one key are to be added up.</param>
    public CountRows(TrackedProcess process, TraceBatch to)
    {
        _process = process;
        _to = to;
        _cohorts = new Sink(TryAddCohort);
        _histograms = new Sink(TryAddToHistogram);
        _shares = new Sink(TryAddShare);
    }

    /// <summary>What totals keep for themselves.</summary>
    public void TakeFromTotals()
    {
        var heap = _process.Heap;
        foreach (var stack in heap.DirtyStacks.Items)
        {
            if (heap.Stacks[stack].StackId != 0)
            {
                heap.CarryOver(stack, _cohorts, _histograms, _shares);
            }
        }
    }

    /// <summary>What is in the tables.</summary>
    public void TakeFromTables()
    {
        var heap = _process.Heap;
        _cohorts.Take(heap.Cohorts);
        _histograms.Take(heap.Histograms);
        _shares.Take(heap.Shares);
    }

    private bool TryAddCohort(ulong key, long blocks, long bytes)
    {
        var (index, birth, death) = ProcessHeap.CohortOf(key);
        if (!TryGetStack(index, out var stack))
        {
            return false;
        }

        _to.Cohorts.Add(new CohortRow(
            _process.Id, stack, (int)birth, death == ProcessHeap.Alive ? CohortRow.NeverFreed : (int)death, blocks, bytes));
        return true;
    }

    private bool TryAddToHistogram(ulong key, long blocks, long bytes)
    {
        var (index, lifetime, bucket) = ProcessHeap.HistogramOf(key);
        if (!TryGetStack(index, out var stack))
        {
            return false;
        }

        (lifetime ? _to.Lifetimes : _to.Sizes).Add(new HistogramRow(_process.Id, stack, bucket, blocks, bytes));
        return true;
    }

    private bool TryAddShare(ulong key, long blocks, long bytes)
    {
        var (index, thread, freed) = ProcessHeap.ShareOf(key);
        if (!TryGetStack(index, out var stack))
        {
            return false;
        }

        var row = _process.ThreadRows[thread];
        _to.Shares.Add(freed
            ? new ThreadShareRow(row, stack, 0, 0, blocks, bytes)
            : new ThreadShareRow(row, stack, blocks, bytes, 0, 0));
        return true;
    }

    private bool TryGetStack(int index, out StackId stack)
    {
        stack = new StackId(_process.Heap.Stacks[index].StackId);
        return stack != StackId.Root;
    }

    private sealed class Sink(Func<ulong, long, long, bool> tryAdd) : IDeltas
    {
        private readonly DeltaList _early = new(); // until it is known whose they are

        public void Add(ulong key, long blocks, long bytes)
        {
            if (!tryAdd(key, blocks, bytes))
            {
                _early.Add(key, blocks, bytes);
            }
        }

        public void Take(DeltaTable from)
        {
            from.Drain(this);
            foreach (var (key, blocks, bytes) in _early)
            {
                from.Add(key, blocks, bytes);
            }

            _early.Clear();
        }
    }
}
