using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed class OneThreadTests
{
    [Fact]
    public void Every_call_is_counted_and_the_peak_is_exact()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var a = target.AddStack(0x401000, 0x402000);
        var b = target.AddStack(0x401000, 0x403000);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 100, a);
        thread.Alloc(0x2000, 50, b);
        thread.Free(0x1000);
        thread.Alloc(0x1000, 10, a);
        thread.Move(0x2000, 0x3000, 200, b);
        thread.Resize(0x3000, ResizeResult.Failed);
        thread.Resize(0x1000, ResizeResult.Freed);
        thread.Alloc(0x4000, 0, a);

        using var trace = recorder.Read(process);
        var totals = trace.Processes[0].Totals;
        Assert.Equal((5, 3), (totals.Allocations, totals.Frees));
        Assert.Equal((360, 160), (totals.AllocatedBytes, totals.FreedBytes));
        Assert.Equal((2, 200), (totals.LiveBlocks, totals.LiveBytes));
        Assert.Equal((210, 2), (totals.Peak.Bytes, totals.Peak.Blocks));
        Assert.Equal((210, 210), (totals.Peak.LowBytes, totals.Peak.HighBytes));
        Assert.Equal(totals.Peak, trace.Info.Peak);
        Assert.True(trace.Processes[0].Complete);
        Assert.True(trace.Info.Complete);
        Assert.Equal(0, trace.Info.LostEvents);
    }

    [Fact]
    public void Stacks_know_what_they_had_at_the_peak()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var a = target.AddStack(0x401000);
        var b = target.AddStack(0x402000);
        var c = target.AddStack(0x403000);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 100, a); // untouched since long before the peak
        thread.Alloc(0x2000, 100, c);
        recorder.Recording.DrainOnce();
        recorder.Recording.Flush();
        thread.Free(0x2000); // before the peak
        thread.Alloc(0x3000, 500, b); // the peak
        recorder.Recording.DrainOnce();
        recorder.Recording.Flush();
        thread.Free(0x3000); // after it
        thread.Alloc(0x4000, 7, c);

        using var trace = recorder.Read(process);
        var rows = trace.StackTotals().OrderBy(row => row.Stack.Value).ToList();
        Assert.Equal([(1L, 100L), (0, 0), (1, 500)], rows.Select(r => (r.PeakBlocks, r.PeakBytes))); // a, c, b
        Assert.Equal(rows.Select(r => (r.PeakBlocks, r.PeakBytes)), rows.Select(r => (r.ProcessPeakBlocks, r.ProcessPeakBytes)));
        Assert.Equal(600, trace.Processes[0].Totals.Peak.Bytes);
    }

    [Fact]
    public void A_temporary_allocation_is_freed_by_its_thread_before_that_allocates_again()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var one = target.Thread(0, 100);
        var two = target.Thread(0, 101);
        one.Alloc(0x1000, 8, stack);
        one.Free(0x1000); // temporary
        one.Alloc(0x1000, 8, stack);
        one.Alloc(0x2000, 8, stack);
        one.Free(0x1000); // another allocation in between
        two.Free(0x2000); // another thread
        one.Alloc(0x3000, 8, stack);
        two.Alloc(0x4000, 8, stack);
        one.Free(0x3000); // temporary: the allocation in between was another thread's
        two.Free(0x4000); // temporary
        one.Alloc(0x5000, 8, stack);
        recorder.Recording.DrainOnce();
        two.Free(0x5000);
        two.Alloc(0x5000, 8, stack);
        recorder.Recording.DrainOnce();
        one.Free(0x5000); // the same address, another thread's block

        using var trace = recorder.Read(process);
        Assert.Equal(3, trace.Processes[0].Totals.TemporaryAllocations);
        Assert.Equal((3, 24), trace.StackTotals().Select(row => (row.Temporary, row.TemporaryBytes)).Single());
    }

    [Fact]
    public void Histograms_count_sizes_and_lifetimes_by_bit_length()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 0, stack);
        thread.Alloc(0x2000, 1, stack);
        thread.Alloc(0x3000, 8, stack);
        thread.Alloc(0x4000, 15, stack);
        thread.Free(0x3000);
        recorder.At(3);
        thread.Free(0x4000);

        using var trace = recorder.Read(process);
        Assert.Equal(
            [(0, 1, 0), (1, 1, 1), (4, 2, 23)],
            trace.Histogram(Trace.HistogramKind.Size).Select(row => (row.Bucket, row.Blocks, row.Bytes)));
        Assert.Equal(
            [(0, 1, 8), (12, 1, 15)],
            trace.Histogram(Trace.HistogramKind.Lifetime).Select(row => (row.Bucket, row.Blocks, row.Bytes)));
    }

    [Fact]
    public void Frees_of_blocks_never_seen_born_are_counted_apart()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.Thread(0, 100).Free(0x7000);

        using var trace = recorder.Read(process);
        var totals = trace.Processes[0].Totals;
        Assert.Equal((0, 0, 1), (totals.Frees, totals.InheritedFrees, totals.ForeignFrees));
        Assert.True(trace.Processes[0].Complete);
    }

    [Fact]
    public void A_process_that_lives_on_has_no_end_and_its_trace_is_not_complete()
    {
        using var recorder = new Recorder();
        var target = new Target();
        recorder.Attach(target);
        target.Thread(0, 100).Alloc(0x1000, 10, target.AddStack(0x401000));

        using var trace = recorder.Read(); // reads what is left, and tells the target to stop
        Assert.Equal((1, 10), (trace.Processes[0].Totals.LiveBlocks, trace.Processes[0].Totals.LiveBytes));
        Assert.Null(trace.Processes[0].EndNs);
        Assert.Null(trace.Processes[0].Ending);
        Assert.True(trace.Info.Closed);
        Assert.False(trace.Info.Complete);
        Assert.Equal(Wire.Control.Stop, target.View.Control);
        Assert.True(target.Memory.IsDisposed);
    }

    [Fact]
    public void A_remark_on_a_process_that_has_ended_long_ago_is_in_its_row()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.Thread(0, 100).Alloc(0x1000, 10, target.AddStack(0x401000));
        recorder.End(process);
        recorder.Recording.Flush(); // its last rows are written
        recorder.Recording.Note(process, "learned later");

        using var trace = recorder.Read();
        Assert.Equal("learned later", trace.Processes[0].Note);
    }
}
