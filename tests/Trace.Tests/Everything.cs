using NativeHeap.Model;

namespace NativeHeap.Trace.Tests;

internal static class Everything
{
    /// <summary>Reads all that a trace holds; the number of rows, so that nothing is left out as unused.</summary>
    public static long Read(string path)
    {
        using var reader = TraceReader.Open(path);
        var rows = (long)reader.Locations.Count + reader.Stacks.Count;
        for (var i = 1; i <= reader.Locations.Count; i++)
        {
            rows += reader.Locations.Names(new LocationId(i)).Count;
        }

        rows += reader.StackTotals().LongCount() + reader.Cohorts().LongCount() + reader.Timeline().LongCount();
        rows += reader.Histogram(HistogramKind.Size).LongCount() + reader.Histogram(HistogramKind.Lifetime).LongCount();
        rows += reader.Threads().LongCount() + reader.ThreadShares().LongCount();
        rows += reader.Code().LongCount() + reader.Methods().LongCount();
        rows += reader.LedgerGauges().LongCount() + reader.GcPauses().LongCount() + reader.Sampling().LongCount();
        rows += reader.MappedTotals().LongCount() + reader.MappedPeaks().LongCount();
        foreach (var snapshot in reader.Snapshots())
        {
            rows += reader.SnapshotTotals(snapshot).LongCount() + reader.SnapshotTypes(snapshot).LongCount();
            rows += reader.SnapshotMapped(snapshot).LongCount();
            rows += reader.Processes.Sum(process => reader.Blocks(snapshot, process.Id).LongCount());
        }

        return rows + reader.Processes.Sum(p => reader.LastLedger(p.Id)?.Parts.Count ?? 0);
    }
}
