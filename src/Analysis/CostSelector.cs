using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Takes from a trace the rows that a question is about and adds them up by merged stack.</summary>
internal sealed class CostSelector(TraceReader trace, MergedTree tree, ProcessSelection processes)
{
    /// <summary>The costs.</summary>
    public CostTable Costs { get; } = new(tree.Count);

    /// <summary>Costs over whole lives, from the totals by stack.</summary>
    public void AddTotals(StackMeasure measure)
    {
        var ofHighest = measure == StackMeasure.Peak && !processes.IsAll;
        foreach (var row in trace.StackTotals())
        {
            if (!Counts(row.Process, measure) || (ofHighest && row.Process != processes.Highest.Id))
            {
                continue;
            }

            var (bytes, blocks) = measure switch
            {
                StackMeasure.Live or StackMeasure.Leaked =>
                    (row.AllocatedBytes - row.FreedBytes, row.Allocations - row.Frees),
                StackMeasure.Peak when ofHighest => (row.ProcessPeakBytes, row.ProcessPeakBlocks),
                StackMeasure.Peak => (row.PeakBytes, row.PeakBlocks),
                StackMeasure.Allocated or StackMeasure.Count => (row.AllocatedBytes, row.Allocations),
                StackMeasure.Temporary => (row.TemporaryBytes, row.Temporary),
                StackMeasure.Freed => (row.FreedBytes, row.Frees),
                _ => throw new ArgumentOutOfRangeException(nameof(measure)),
            };
            Costs.Add(tree.NodeOf(row.Stack), bytes, blocks);
        }
    }

    /// <summary>What was mapped, over whole lives or at a snapshot.</summary>
    /// <param name="measure">What of it.</param>
    /// <param name="snapshot">Null: over whole lives.</param>
    /// <exception cref="ToolException">It was not recorded, or is of several processes, each of which had its own peak (exit code
    /// 2).</exception>
    public void AddMappings(StackMeasure measure, Snapshot? snapshot)
    {
        if (!trace.Info.RecordsMappings)
        {
            throw new ToolException($"{trace.Path} has no mappings: they are recorded where --mmap asks for it", ExitCodes.Usage);
        }

        if (measure == StackMeasure.Peak && trace.MappedPeaks().Count(row => processes.Contains(row.Process)) > 1)
        {
            throw new ToolException("several processes have mapped memory, each with a peak of its own: choose one by --pid", ExitCodes.Usage);
        }

        if (snapshot is not null)
        {
            foreach (var row in trace.SnapshotMapped(snapshot).Where(row => processes.Contains(row.Process)))
            {
                Costs.Add(tree.NodeOf(row.Stack), row.Bytes, row.Blocks);
            }

            return;
        }

        foreach (var row in trace.MappedTotals().Where(row => Counts(row.Process, measure)))
        {
            var (bytes, mappings) = measure switch
            {
                StackMeasure.Live or StackMeasure.Leaked => (row.MappedBytes - row.UnmappedBytes, row.Mappings - row.Unmappings),
                StackMeasure.Peak => (row.PeakBytes, row.PeakMappings),
                StackMeasure.Allocated or StackMeasure.Count => (row.MappedBytes, row.Mappings),
                StackMeasure.Freed => (row.UnmappedBytes, row.Unmappings),
                _ => throw new ArgumentOutOfRangeException(nameof(measure)),
            };
            Costs.Add(tree.NodeOf(row.Stack), bytes, mappings);
        }
    }

    /// <summary>Costs over whole lives of what threads of one tid allocated.</summary>
    /// <exception cref="ToolException">The trace has no such thread, or does not know who allocated (exit code 2).</exception>
    public void AddThread(StackMeasure measure, int tid)
    {
        if (!trace.HasThreadShares)
        {
            throw new ToolException($"{trace.Path} is of an older version and does not say which thread allocated", ExitCodes.Usage);
        }

        var threads = trace.Threads().Where(thread => processes.Contains(thread.Process)).ToList();
        var chosen = threads.Where(thread => thread.Tid == tid && Counts(thread.Process, measure)).Select(thread => thread.Id).ToHashSet();
        if (!threads.Exists(thread => thread.Tid == tid))
        {
            throw new ToolException(
                $"{trace.Path} has no thread {tid}; it has {string.Join(", ", threads.Select(thread => thread.Tid).Take(8))}"
                + (threads.Count > 8 ? $" and {threads.Count - 8} more" : ""),
                ExitCodes.Usage);
        }

        var shares = trace.StackTotals().Where(row => row.Thread is not null)
            .Select(row => new ThreadShareRow(row.Thread!.Value, row.Stack, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes))
            .Concat(trace.ThreadShares());
        foreach (var row in shares.Where(row => chosen.Contains(row.Thread)))
        {
            var (bytes, blocks) = measure switch
            {
                StackMeasure.Live or StackMeasure.Leaked => (row.AllocatedBytes - row.FreedBytes, row.Allocations - row.Frees),
                StackMeasure.Freed => (row.FreedBytes, row.Frees),
                _ => (row.AllocatedBytes, row.Allocations),
            };
            Costs.Add(tree.NodeOf(row.Stack), bytes, blocks);
        }
    }

    /// <summary>Blocks of some sizes, or freed ones of some lifetimes.</summary>
    public void AddHistogram(HistogramKind kind, BucketRange range)
    {
        foreach (var row in trace.Histogram(kind).Where(row => processes.Contains(row.Process) && range.Contains(row.Bucket)))
        {
            Costs.Add(tree.NodeOf(row.Stack), row.Bytes, row.Blocks);
        }
    }

    /// <summary>What was alive at a snapshot.</summary>
    public void AddSnapshot(Snapshot snapshot)
    {
        foreach (var row in trace.SnapshotTotals(snapshot).Where(row => processes.Contains(row.Process)))
        {
            Costs.Add(tree.NodeOf(row.Stack), row.Bytes, row.Blocks);
        }
    }

    /// <summary>
    /// What was born from edge <paramref name="from"/> to edge <paramref name="to"/>; for measures of life, what of it
    /// was alive at <paramref name="to"/>.
    /// </summary>
    /// <param name="measure">Live, leaked, allocated or count.</param>
    /// <param name="from">The first bucket.</param>
    /// <param name="to">One past the last bucket; null: to each process's end.</param>
    /// <param name="edges">The edges.</param>
    public void AddCohorts(StackMeasure measure, long from, long? to, BucketEdges edges)
    {
        var ever = measure is StackMeasure.Allocated or StackMeasure.Count;
        var lived = LivedAt(measure == StackMeasure.Leaked ? null : to, edges);
        foreach (var row in trace.Cohorts())
        {
            if (row.Birth < from || row.Birth >= to || !Counts(row.Process, measure))
            {
                continue;
            }

            var outlived = row.Death == CohortRow.NeverFreed
                || (measure == StackMeasure.Live && row.Death >= to);
            if (ever || (outlived && lived[row.Process.Value]))
            {
                Costs.Add(tree.NodeOf(row.Stack), row.Bytes, row.Blocks);
            }
        }
    }

    /// <summary>What died from edge <paramref name="from"/> to edge <paramref name="to"/>, whenever it was born.</summary>
    /// <param name="from">The first bucket.</param>
    /// <param name="to">One past the last bucket; null: to the end.</param>
    public void AddFreed(long from, long? to)
    {
        foreach (var row in trace.Cohorts().Where(row => processes.Contains(row.Process)))
        {
            if (row.Death != CohortRow.NeverFreed && row.Death >= from && !(row.Death >= to))
            {
                Costs.Add(tree.NodeOf(row.Stack), row.Bytes, row.Blocks);
            }
        }
    }

    /// <summary>Which processes lived at an edge; at their own end, all did.</summary>
    private bool[] LivedAt(long? edge, BucketEdges edges) =>
        [false, .. trace.Processes.Select(p => edge is not { } e || p.EndNs is not { } end || end >= edges.TimeOf(e))];

    private bool Counts(ProcessId process, StackMeasure measure) =>
        processes.Contains(process)
        && (measure != StackMeasure.Leaked || trace.Processes[process.Value - 1].EndNs is not null);
}
