using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Totals over several processes.</summary>
internal static class TotalsSum
{
    /// <exception cref="OverflowException">No 64-bit number holds a sum.</exception>
    public static Totals Of(TraceReader trace, ProcessSelection selection)
    {
        var all = selection.Processes;
        return new Totals
        {
            Allocations = Sum(all, t => t.Allocations),
            Frees = Sum(all, t => t.Frees),
            AllocatedBytes = Sum(all, t => t.AllocatedBytes),
            FreedBytes = Sum(all, t => t.FreedBytes),
            LiveBlocks = Sum(all, t => t.LiveBlocks),
            LiveBytes = Sum(all, t => t.LiveBytes),
            Peak = PeakOf(trace, selection),
            TemporaryAllocations = Sum(all, t => t.TemporaryAllocations),
            InheritedFrees = Sum(all, t => t.InheritedFrees),
            EarlierFrees = Sum(all, t => t.EarlierFrees),
            ForeignFrees = Sum(all, t => t.ForeignFrees),
            MissedCalls = Sum(all, t => t.MissedCalls),
            DurationNs = selection.EndNs(trace) - all.Min(p => p.StartNs),
        };
    }

    /// <summary>
    /// The trace's own figure; where it has none, because it was not closed, bounds from the processes': the highest
    /// of theirs is not above it, the sum of theirs not below.
    /// </summary>
    private static Peak PeakOf(TraceReader trace, ProcessSelection selection)
    {
        var highest = selection.Highest.Totals.Peak;
        if (!selection.IsAll || selection.Processes.Count == 1)
        {
            return highest;
        }

        return trace.Info.Peak ?? highest with { HighBytes = Sum(selection.Processes, t => t.Peak.HighBytes) };
    }

    private static long Sum(IReadOnlyList<ProcessInfo> processes, Func<Totals, long> part)
    {
        var sum = 0L;
        foreach (var process in processes)
        {
            sum = checked(sum + part(process.Totals));
        }

        return sum;
    }
}
