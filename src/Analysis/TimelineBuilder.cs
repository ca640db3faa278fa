using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Makes a <see cref="HeapTimeline"/>: sums from the timeline rows, stacks from the cohorts.</summary>
internal sealed class TimelineBuilder(
    TraceReader trace, Lazy<MergedTree> stacks, ProcessSelection processes, TimelineQuestion question)
{
    private readonly long _endNs = Math.Max(1, processes.EndNs(trace));

    private MergedTree Tree => stacks.Value;

    public HeapTimeline Build(Peak peak)
    {
        if (question.Stacks == 0)
        {
            return new HeapTimeline
            {
                EndNs = _endNs,
                Points = SumOverProcesses(),
                StackTimesNs = [],
                Stacks = [],
                OtherBytes = [],
                Peak = peak,
            };
        }

        var top = LargestNodes();
        var width = trace.Info.BucketNs ?? _endNs;
        var edges = (int)Math.Min((_endNs / width) + 1, CohortRow.MaxBucket + 1L);
        var series = Integrate(top, width, edges);
        var kept = Thin(series[^1], width, edges);
        return new HeapTimeline
        {
            EndNs = _endNs,
            Points = SumOverProcesses(),
            StackTimesNs = [.. kept.Select(edge => Math.Min(edge * width, _endNs))],
            Stacks = [.. top.Select((node, i) => new StackSeries(Tree.StackOf(node), Pick(series[i], kept)))],
            OtherBytes = [.. kept.Select(edge => series[^1][edge] - top.Select((_, i) => series[i][edge]).Sum())],
            Peak = peak,
        };
    }

    private static long[] Pick(long[] values, List<int> kept) => [.. kept.Select(edge => values[edge])];

    /// <summary>The merged stacks that held most at the peak or at the end.</summary>
    private int[] LargestNodes()
    {
        var costs = new CostTable(Tree.Count);
        foreach (var row in trace.StackTotals())
        {
            if (processes.Contains(row.Process))
            {
                var peak = processes.IsAll ? row.PeakBytes : row.ProcessPeakBytes;
                costs.Add(Tree.NodeOf(row.Stack), Math.Max(peak, row.AllocatedBytes - row.FreedBytes), 0);
            }
        }

        return [.. costs.Largest(byBlocks: false).Take(question.Stacks).Select(cost => cost.Node)];
    }

    /// <summary>Live bytes at each edge, and last at the end: one array for each node, then one for all stacks.</summary>
    private long[][] Integrate(int[] top, long width, int edges)
    {
        var rank = new Dictionary<int, int>();
        var series = new long[top.Length + 1][];
        for (var i = 0; i <= top.Length; i++)
        {
            series[i] = new long[edges + 1];
            if (i < top.Length)
            {
                rank.Add(top[i], i);
            }
        }

        // First the change at each edge: what a bucket brought is there at its end, which may be the end of all.
        var gone = processes.Processes.ToDictionary(p => p.Id, p => EdgeAfter(p, width, edges));
        foreach (var row in trace.Cohorts())
        {
            if (!processes.Contains(row.Process))
            {
                continue;
            }

            var born = Math.Min(row.Birth + 1, edges);
            var died = row.Death == CohortRow.NeverFreed ? gone[row.Process] : Math.Min(row.Death + 1, edges);
            if (died <= born)
            {
                continue; // never there at an edge
            }

            Change(series[^1], born, died, row.Bytes);
            if (rank.TryGetValue(Tree.NodeOf(row.Stack), out var index))
            {
                Change(series[index], born, died, row.Bytes);
            }
        }

        foreach (var values in series)
        {
            for (var edge = 1; edge <= edges; edge++)
            {
                values[edge] = checked(values[edge] + values[edge - 1]);
            }
        }

        return series;
    }

    private static void Change(long[] values, int born, int? died, long bytes)
    {
        values[born] = checked(values[born] + bytes);
        if (died is { } edge)
        {
            values[edge] = checked(values[edge] - bytes);
        }
    }

    /// <summary>The edge at which a process is gone; null when it lived to the end.</summary>
    private int? EdgeAfter(ProcessInfo process, long width, int edges) =>
        process.EndNs is { } end && end / width < _endNs / width ? (int)Math.Min((end / width) + 1, edges) : null;

    /// <summary>The edges to keep: of each group the one of most live bytes, and the last of all.</summary>
    private List<int> Thin(long[] total, long width, int edges)
    {
        var kept = new List<int>();
        var group = Math.Max(1, (edges + 1) / Math.Max(1, question.Points));
        for (var start = 0; start <= edges; start += group)
        {
            var best = start;
            for (var edge = start; edge <= edges && edge < start + group; edge++)
            {
                best = total[edge] > total[best] ? edge : best;
            }

            kept.Add(best);
        }

        if (kept[^1] != edges)
        {
            kept.Add(edges);
        }

        // When the end is an edge itself, the two last are the same time.
        kept.RemoveAll(edge => edge < edges && edge * width >= _endNs);
        return kept;
    }

    private List<TimelinePoint> SumOverProcesses()
    {
        var thinner = new PointThinner(_endNs, question.Points);
        var live = new long[trace.Processes.Count + 1];
        var rss = new long?[trace.Processes.Count + 1];
        var allocated = new long[trace.Processes.Count + 1];
        var allocatedSum = 0L;
        var liveSum = 0L;
        var rssSum = 0L;
        var rssKnown = 0;
        foreach (var row in StatesByTime())
        {
            var process = row.Process.Value;
            liveSum -= live[process];
            var most = checked(liveSum + Math.Max(row.LivePeakBytes, row.LiveBytes));
            live[process] = row.LiveBytes;
            liveSum = checked(liveSum + row.LiveBytes);
            var newRss = row.TimeNs >= EndOf(process) ? null : row.RssBytes ?? rss[process];
            rssSum = checked(rssSum - (rss[process] ?? 0) + (newRss ?? 0));
            rssKnown += (newRss is null ? 0 : 1) - (rss[process] is null ? 0 : 1);
            rss[process] = newRss;
            var grown = Math.Max(row.AllocatedBytes, allocated[process]); // the last state, of nothing, has no counters
            allocatedSum = checked(allocatedSum + grown - allocated[process]);
            allocated[process] = grown;
            thinner.Add(new TimelinePoint(row.TimeNs, liveSum, most, rssKnown > 0 ? rssSum : null, allocatedSum));
        }

        return thinner.Finish();
    }

    private long EndOf(int process) =>
        trace.Processes[process - 1].EndNs is { } end && end < _endNs ? end : long.MaxValue;

    /// <summary>All processes' states by time; one that ended before the others gets a last one of nothing.</summary>
    private List<TimelineRow> StatesByTime()
    {
        var rows = new List<TimelineRow>();
        foreach (var row in trace.Timeline().Where(row => processes.Contains(row.Process)))
        {
            // The state is that of the bucket's end, which may come after the process's.
            var last = Math.Min(EndOf(row.Process.Value) - 1, _endNs);
            rows.Add(row with { TimeNs = Math.Min(row.TimeNs + (trace.Info.BucketNs ?? 0), last) });
        }

        foreach (var process in processes.Processes.Where(p => EndOf(p.Id.Value) != long.MaxValue))
        {
            rows.Add(new TimelineRow(process.Id, EndOf(process.Id.Value), 0, 0, 0, 0, 0, null));
        }

        rows.Sort((a, b) => (a.TimeNs, a.Process.Value).CompareTo((b.TimeNs, b.Process.Value)));
        return rows;
    }
}
