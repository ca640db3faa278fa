using NativeHeap.Fixtures;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Analysis.Tests;

public sealed class TotalsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Profile Open(TraceBuilder trace) => Profile.Open(trace.Write(_folder["a.nheap"]));

    [Fact]
    public void Totals_are_the_sums_over_processes_and_the_traces_own_peak()
    {
        using var profile = Open(SampleTrace.Build());
        var totals = profile.Totals();

        Assert.Equal((15, 11, 5524, 5160), (totals.Allocations, totals.Frees, totals.AllocatedBytes, totals.FreedBytes));
        Assert.Equal((4, 364, 10, 7), (totals.LiveBlocks, totals.LiveBytes, totals.TemporaryAllocations, totals.InheritedFrees));
        Assert.Equal(profile.Info.Peak, totals.Peak);
        Assert.Equal(1_000_000_000, totals.DurationNs);
    }

    [Fact]
    public void The_peak_of_several_processes_is_bounded_when_the_trace_has_none()
    {
        var trace = new TraceBuilder();
        foreach (var peak in new[] { 100, 300, 50 })
        {
            trace.Process(peak, ("peak_bytes", peak), ("peak_low_bytes", peak), ("peak_high_bytes", peak), ("peak_time_ns", peak));
        }

        using var profile = Open(trace);
        var total = profile.Totals().Peak;

        Assert.Equal((300, 450, 300), (total.LowBytes, total.HighBytes, total.TimeNs));
        Assert.False(total.IsExact);
        Assert.True(profile.Totals(100).Peak.IsExact);
    }

    [Fact]
    public void The_images_of_a_pid_are_one_process_in_its_totals()
    {
        var trace = new TraceBuilder();
        trace.Process(7, ("end_ns", 100), ("ending", "exec"), ("allocations", 5), ("peak_bytes", 9), ("peak_low_bytes", 9), ("peak_high_bytes", 9));
        trace.Process(7, ("image", 1), ("origin", "exec"), ("start_ns", 100), ("end_ns", 250), ("allocations", 6));
        using var profile = Open(trace);
        var totals = profile.Totals(7);

        Assert.Equal((11, 250, 9), (totals.Allocations, totals.DurationNs, totals.Peak.Bytes));
    }

    [Fact]
    public void A_histogram_adds_up_over_stacks_and_processes_or_those_of_a_pid()
    {
        using var profile = Open(SampleTrace.Build()
            .Row("histogram", ("process_id", 1), ("stack_id", 3), ("kind", "size"), ("bucket", 7), ("blocks", 1), ("bytes", 100))
            .Row("histogram", ("process_id", 2), ("stack_id", 3), ("kind", "size"), ("bucket", 7), ("blocks", 2), ("bytes", 150))
            .Row("histogram", ("process_id", 2), ("stack_id", 5), ("kind", "size"), ("bucket", 0), ("blocks", 1), ("bytes", 0)));

        Assert.Equal(new HistogramBar(7, 250, 3), profile.Histogram(HistogramKind.Size)[7]);
        Assert.Equal(new HistogramBar(0, 0, 1), profile.Histogram(HistogramKind.Size, 4712)[0]);
        Assert.Equal(new HistogramBar(7, 150, 2), profile.Histogram(HistogramKind.Size, 4712)[7]);
    }
}
