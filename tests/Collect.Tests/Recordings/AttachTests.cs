using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed unsafe class AttachTests
{
    private static readonly ProcessIntroduction s_attached = Target.Introduction() with { Origin = ProcessOrigin.Attach };

    [Fact]
    public void Frees_of_blocks_from_before_the_attach_are_counted_apart_and_are_no_loss()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target, s_attached);
        var stack = target.AddStack(0x401000);
        var main = target.Thread(0, 100);
        main.Free(0x9000);
        main.Alloc(0x1000, 100, stack);
        main.Free(0x1000);
        main.Alloc(0x9000, 50, stack); // the address of an earlier block, a block of its own
        main.Free(0x8000);
        recorder.Recording.DrainOnce();

        using var trace = recorder.Read(process);
        var totals = trace.Processes[0].Totals;
        Assert.Equal((2, 1, 2, 0), (totals.Allocations, totals.Frees, totals.EarlierFrees, totals.ForeignFrees));
        Assert.Equal((1, 50), (totals.LiveBlocks, totals.LiveBytes));
        Assert.Equal(ProcessOrigin.Attach, trace.Processes[0].Origin);
        Assert.True(trace.Info.Complete);
    }

    [Fact]
    public void A_detached_process_has_ended_with_what_was_alive_then()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target, s_attached);
        List<ProcessId> left = [];
        recorder.Recording.ProcessLeft += left.Add;
        var stack = target.AddStack(0x401000);
        var main = target.Thread(0, 100);
        main.Alloc(0x1000, 100, stack);
        recorder.At(5);
        recorder.Recording.DrainOnce();
        Assert.Empty(left);
        main.Alloc(0x2000, 10, stack);
        target.View.SlotAt(0)->OffReason = (uint)OffReason.Detached;
        recorder.Recording.DrainOnce(); // sees it
        recorder.Recording.DrainOnce(); // has read what came before it

        Assert.Equal([process], left);
        Assert.Equal(0, recorder.Recording.LiveProcesses);
        using var trace = recorder.Read();
        var info = trace.Processes[0];
        Assert.Equal((ProcessEnding.Detached, 5_000_000L), (info.Ending, info.EndNs));
        Assert.Equal((2, 0, 110), (info.Totals.Allocations, info.Totals.Frees, info.Totals.LiveBytes));
        Assert.True(info.Complete);
        Assert.True(trace.Info.Complete);
    }

    [Fact]
    public void A_process_that_is_attached_again_is_another_row()
    {
        using var recorder = new Recorder();
        var first = new Target();
        recorder.Attach(first, s_attached);
        first.Thread(0, 100).Alloc(0x1000, 100, first.AddStack(0x401000));
        first.View.SlotAt(0)->OffReason = (uint)OffReason.Detached;
        recorder.Recording.DrainOnce();
        recorder.Recording.DrainOnce();
        var second = new Target();
        var id = recorder.Attach(second, s_attached);
        second.Thread(0, 100).Free(0x1000);
        recorder.Recording.DrainOnce();

        using var trace = recorder.Read(id);
        Assert.Equal([ProcessEnding.Detached, ProcessEnding.Exit], trace.Processes.Select(p => p.Ending!.Value));
        Assert.Equal([0L, 1L], trace.Processes.Select(p => p.Totals.EarlierFrees));
        Assert.Equal([ProcessOrigin.Attach, ProcessOrigin.Attach], trace.Processes.Select(p => p.Origin));
    }
}
