using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>The rows of one commit. Filled on the drain's thread, written on another, then filled again.</summary>
internal sealed class TraceBatch
{
    public List<long> Widths { get; } = [];

    public List<(string Key, long Value)> Meta { get; } = [];

    public List<(string Key, string Value)> MetaTexts { get; } = [];

    public List<ProcessInfo> Processes { get; } = [];

    public List<ThreadRow> Threads { get; } = [];

    public List<(int Id, Binary Binary)> Modules { get; } = [];

    public List<MappingRow> Mappings { get; } = [];

    public List<(int Id, int Module, ulong Offset, FrameKind Kind)> Locations { get; } = [];

    public List<CodeRow> Code { get; } = [];

    public List<(int Id, int Parent, int Location)> Stacks { get; } = [];

    public List<StackTotalRow> StackTotals { get; } = [];

    public List<MappedTotalRow> MappedTotals { get; } = [];

    public List<MappedPeakRow> MappedPeaks { get; } = [];

    public List<ProcessId> PeaksPassed { get; } = [];

    /// <summary>Births, as if none had died, and deaths.</summary>
    public List<CohortRow> Cohorts { get; } = [];

    public List<HistogramRow> Sizes { get; } = [];

    public List<HistogramRow> Lifetimes { get; } = [];

    public List<ThreadShareRow> Shares { get; } = [];

    public List<TimelineRow> Timeline { get; } = [];

    public List<(ProcessId Process, Ledger Ledger)> Ledgers { get; } = [];

    public List<(ProcessId Process, LedgerGauge Gauge)> Gauges { get; } = [];

    public List<(ProcessId Process, GcPause Pause)> Pauses { get; } = [];

    public List<SamplingRow> Sampling { get; } = [];

    public List<SnapshotRows> Snapshots { get; } = [];

    public List<LeakCheckRow> LeakChecks { get; } = [];

    /// <summary>Writes everything in one transaction and empties the batch.</summary>
    /// <returns>How many rows of cohorts there were.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public int Write(TraceWriter writer)
    {
        StackTotals.Sort();
        RowOrder.AddUp(Sizes);
        RowOrder.AddUp(Lifetimes);
        RowOrder.AddUp(Shares);
        writer.Begin();
        WriteWhole(writer);
        var cohorts = WriteCounts(writer);
        WriteSnapshots(writer);
        writer.Commit();
        Clear();
        return cohorts;
    }

    private static void Each<T>(List<T> rows, Action<T> write)
    {
        foreach (var row in rows)
        {
            write(row);
        }
    }

    private void WriteWhole(TraceWriter writer)
    {
        Each(Widths, writer.WidenBuckets); // before any row that counts in the new width
        Each(Meta, item => writer.SetMeta(item.Key, item.Value));
        Each(MetaTexts, item => writer.SetMeta(item.Key, item.Value));
        Each(Processes, writer.Put);
        Each(Threads, row => writer.Put(row));
        Each(Modules, item => writer.AddModule(item.Id, item.Binary));
        Each(Mappings, row => writer.Put(row));
        Each(Locations, item => writer.AddLocation(
            new LocationId(item.Id), item.Module == 0 ? null : item.Module, item.Offset, item.Kind));
        Each(Code, row => writer.Put(row));
        Each(Stacks, item => writer.AddStack(
            new StackId(item.Id), new StackId(item.Parent), new LocationId(item.Location)));
    }

    private int WriteCounts(TraceWriter writer)
    {
        Each(StackTotals, row => writer.Put(row));
        Each(PeaksPassed, writer.ForgetPeak);
        var cohorts = RowOrder.AddUp(Cohorts, row => writer.Add(row));
        Each(Sizes, row => writer.Add(row, HistogramKind.Size));
        Each(Lifetimes, row => writer.Add(row, HistogramKind.Lifetime));
        Each(Shares, row => writer.Add(row));
        Each(MappedTotals, row => writer.Put(row));
        Each(MappedPeaks, row => writer.Put(row));
        Each(Timeline, row => writer.Put(row));
        Each(Ledgers, item => writer.Put(item.Process, item.Ledger));
        Each(Gauges, item => writer.Put(item.Process, item.Gauge));
        Each(Pauses, item => writer.Put(item.Process, item.Pause));
        Each(Sampling, row => writer.Put(row));
        return cohorts;
    }

    private void WriteSnapshots(TraceWriter writer)
    {
        foreach (var rows in Snapshots)
        {
            writer.AddSnapshot(rows.Snapshot);
            Each(rows.Totals, row => writer.AddSnapshotTotal(rows.Snapshot.Number, row));
            Each(rows.Mapped, row => writer.AddSnapshotMapped(rows.Snapshot.Number, row));
            Each(rows.Blocks, row => writer.AddBlock(rows.Snapshot.Number, row));
        }

        Each(LeakChecks, writer.AddLeakCheck);
    }

    private void Clear()
    {
        Widths.Clear();
        Meta.Clear();
        MetaTexts.Clear();
        Processes.Clear();
        Threads.Clear();
        Modules.Clear();
        Mappings.Clear();
        Locations.Clear();
        Code.Clear();
        Stacks.Clear();
        StackTotals.Clear();
        MappedTotals.Clear();
        MappedPeaks.Clear();
        PeaksPassed.Clear();
        Cohorts.Clear();
        Sizes.Clear();
        Lifetimes.Clear();
        Shares.Clear();
        Timeline.Clear();
        Ledgers.Clear();
        Gauges.Clear();
        Pauses.Clear();
        Sampling.Clear();
        Snapshots.Clear();
        LeakChecks.Clear();
    }
}
