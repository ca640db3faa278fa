using NativeHeap.Fixtures;
using NativeHeap.Testing;
using NativeHeap.Model;

namespace NativeHeap.Trace.Tests;

public sealed class ReadingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private TraceReader Open(TraceBuilder trace) => TraceReader.Open(trace.Write(_folder["a.nheap"]));

    [Fact]
    public void What_a_trace_says_about_itself_is_read()
    {
        using var reader = Open(SampleTrace.Build().Meta("lost_events", 3).Meta("exact", 0).Meta("sample_bytes", 524288));

        Assert.Equal(["./server", "--port", "8080"], reader.Info.Command);
        Assert.Equal("build7", reader.Info.Host);
        Assert.Equal(1_000_000_000, reader.Info.EndNs);
        Assert.Equal(10_000_000, reader.Info.BucketNs);
        Assert.Equal(3, reader.Info.LostEvents);
        Assert.False(reader.Info.Exact);
        Assert.Equal(524288, reader.Info.SampleBytes);
        Assert.True(reader.Info.Complete);
        Assert.True(reader.Info.Closed);
        Assert.Equal(new Peak { Bytes = 5300, Blocks = 4, TimeNs = 300_000_000, LowBytes = 5300, HighBytes = 5300 }, reader.Info.Peak);
    }

    [Fact]
    public void Processes_are_read_with_their_totals_and_endings()
    {
        using var reader = Open(SampleTrace.Build());

        Assert.Equal(2, reader.Processes.Count);
        var (parent, child) = (reader.Processes[0], reader.Processes[1]);
        Assert.Equal((4711, ProcessOrigin.Run, ProcessEnding.Exit, 0), (parent.Pid, parent.Origin, parent.Ending, parent.ExitCode));
        Assert.Equal(1_000_000_000, parent.Totals.DurationNs);
        Assert.Equal(14, parent.Totals.Allocations);
        Assert.Equal(5460, parent.Totals.AllocatedBytes);
        Assert.Equal(300, parent.Totals.LiveBytes);
        Assert.Equal(10, parent.Totals.TemporaryAllocations);
        Assert.Equal((4712, ProcessOrigin.Fork, ProcessEnding.Signal, 9), (child.Pid, child.Origin, child.Ending, child.Signal));
        Assert.Equal(parent.Id, child.ParentId);
        Assert.Null(child.ExitCode);
        Assert.Equal(400_000_000, child.Totals.DurationNs);
        Assert.Equal(7, child.Totals.InheritedFrees);
    }

    [Fact]
    public void Inlined_functions_come_innermost_first()
    {
        using var reader = Open(SampleTrace.Build());
        var names = Enumerable.Range(1, reader.Locations.Count)
            .Select(i => reader.Locations.Names(new LocationId(i)))
            .Single(n => n.Count == 2);

        Assert.Equal(new ResolvedFrame("copy(char const*)", "text.h", 12, true), names[0]);
        Assert.Equal(new ResolvedFrame("parse(std::string)", "parse.cc", 40, false), names[1]);
    }

    [Fact]
    public void Cohorts_totals_and_timeline_come_as_they_were_written()
    {
        using var reader = Open(SampleTrace.Build().Timeline(1, 10_000_000, 100, 150, 4096).Timeline(1, 20_000_000, 90));

        Assert.Contains(reader.Cohorts(), c => c is { Birth: 10, Death: 50, Blocks: 1, Bytes: 5000 });
        Assert.Contains(reader.Cohorts(), c => c is { Birth: 30, Death: CohortRow.NeverFreed, Blocks: 2, Bytes: 200 });
        Assert.Contains(reader.StackTotals(), t => t is { Temporary: 10, TemporaryBytes: 160, Frees: 10 });
        Assert.Equal([4096, null], reader.Timeline().Select(t => t.RssBytes));
        Assert.Equal([150L, 90], reader.Timeline().Select(t => t.LivePeakBytes));
    }

    [Fact]
    public void The_ledger_is_the_last_look_and_its_parts_are_sorted_by_size()
    {
        using var reader = Open(SampleTrace.Build());
        var ledger = reader.LastLedger(new ProcessId(1));

        Assert.NotNull(ledger);
        Assert.Equal(990_000_000, ledger.TimeNs);
        Assert.Equal(100_000, ledger.RssBytes);
        Assert.Equal(["files", "stacks", "heap: live"], ledger.Parts.Select(p => p.Name));
        Assert.Equal(ledger.RssBytes, ledger.Parts.Sum(p => p.Bytes) + ledger.UnexplainedBytes);
        Assert.Null(reader.LastLedger(new ProcessId(2)));
    }

    [Fact]
    public void Snapshots_hold_what_was_alive()
    {
        var trace = SampleTrace.Build()
            .Row("snapshot", ("id", 1), ("name", "before"), ("reason", "asked"), ("time_ns", 5))
            .Row("snapshot", ("id", 2), ("reason", "growth"), ("time_ns", 9))
            .Row("snapshot_total", ("snapshot_id", 1), ("process_id", 1), ("stack_id", 3), ("blocks", 1), ("bytes", 50))
            .Row("snapshot_total", ("snapshot_id", 2), ("process_id", 1), ("stack_id", 3), ("blocks", 4), ("bytes", 70));
        using var reader = Open(trace);

        Assert.Equal([new Snapshot(1, "before", "asked", 5), new Snapshot(2, null, "growth", 9)], reader.Snapshots());
        Assert.Equal([new SnapshotRow(new ProcessId(1), new StackId(3), 4, 70)], reader.SnapshotTotals(reader.Snapshots()[1]));
    }

    [Fact]
    public void A_histogram_gives_the_rows_of_its_kind_only()
    {
        using var reader = Open(SampleTrace.Build()
            .Row("histogram", ("process_id", 1), ("stack_id", 3), ("kind", "size"), ("bucket", 7), ("blocks", 1), ("bytes", 100))
            .Row("histogram", ("process_id", 1), ("stack_id", 3), ("kind", "lifetime"), ("bucket", 9), ("blocks", 2), ("bytes", 3)));

        Assert.Equal([7], reader.Histogram(HistogramKind.Size).Select(h => h.Bucket));
        Assert.Equal([9], reader.Histogram(HistogramKind.Lifetime).Select(h => h.Bucket));
    }

    [Fact]
    public void The_last_moment_of_a_trace_that_was_not_closed_is_the_latest_time_in_it()
    {
        var trace = new TraceBuilder().Meta("end_ns", null);
        trace.Process(1, ("end_ns", null), ("ending", null), ("start_ns", 30));
        trace.Timeline(1, 500, 1);
        using var reader = Open(trace);

        Assert.False(reader.Info.Closed);
        Assert.Equal(500, reader.LastNs);
        Assert.Equal(470, reader.Processes[0].Totals.DurationNs);
    }
}
