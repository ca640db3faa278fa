using NativeHeap.Model;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed class ForkTests
{
    [Fact]
    public void A_forked_child_is_found_and_its_frees_of_inherited_blocks_are_counted_apart()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var parent = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var main = target.Thread(0, 100);
        main.Alloc(0x1000, 100, stack);
        main.Alloc(0x2000, 100, stack);
        var slot = target.Fork(0, 200);
        var child = target.Thread(slot, 200);
        child.Free(0x1000); // its number begins at 0 again
        child.Alloc(0x1000, 7, stack);
        child.Alloc(0x3000, 5, stack);
        child.Free(0x1000);
        main.Free(0x2000);
        recorder.Recording.DrainOnce();

        var found = Assert.Single(recorder.Found);
        Assert.Equal((200, parent), (found.Pid, found.ParentId));
        using var trace = recorder.Read(parent, found.Id);
        var (first, second) = (trace.Processes[0], trace.Processes[1]);
        Assert.Equal((2, 1, 0), (first.Totals.Allocations, first.Totals.Frees, first.Totals.InheritedFrees));
        Assert.Equal((2, 1, 1), (second.Totals.Allocations, second.Totals.Frees, second.Totals.InheritedFrees));
        Assert.Equal((1, 5, 12), (second.Totals.LiveBlocks, second.Totals.LiveBytes, second.Totals.Peak.Bytes));
        Assert.Equal((ProcessOrigin.Fork, first.Id, 100), (second.Origin, second.ParentId!.Value, second.ParentPid!.Value));
        Assert.True(trace.Info.Complete);
    }

    [Fact]
    public void A_child_that_wrote_nothing_is_found_at_the_next_commit()
    {
        using var recorder = new Recorder();
        var target = new Target();
        recorder.Attach(target);
        target.Fork(0, 200);
        recorder.Recording.DrainOnce();
        Assert.Empty(recorder.Found);
        recorder.Recording.Commit();
        Assert.Equal(200, Assert.Single(recorder.Found).Pid);
    }

    [Fact]
    public unsafe void The_rings_and_the_slot_of_a_dead_child_go_to_the_next()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var parent = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        for (var i = 0; i < 50; i++)
        {
            var slot = target.Fork(0, 200 + i);
            Assert.Equal(1, slot);
            var child = target.Thread(slot, (uint)(200 + i));
            child.Alloc(0x1000, 16, stack);
            recorder.Recording.DrainOnce();
            recorder.End(recorder.Found[i].Id, ProcessEnding.Signal, null, 9); // it never gave its ring back
            Assert.Equal(0u, target.View.RingAt(child.Ring)->OwnerTid);
            recorder.Recording.Commit();
        }

        using var trace = recorder.Read(parent);
        Assert.Equal(51, trace.Processes.Count);
        Assert.All(trace.Processes.Skip(1), process =>
        {
            Assert.Equal((1, 16), (process.Totals.LiveBlocks, process.Totals.LiveBytes));
            Assert.Equal((ProcessEnding.Signal, 9), (process.Ending, process.Signal));
            Assert.True(process.Complete);
        });
        Assert.Equal(16, trace.Info.Peak!.Bytes); // never two at a time
        Assert.Equal(50, trace.StackTotals().Count());
        Assert.Equal(16, trace.StackTotals().Sum(row => row.PeakBytes));
    }

    [Fact]
    public void A_child_may_get_the_slot_of_its_dead_parent()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var first = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var slot = target.Fork(0, 200);
        target.Thread(slot, 200).Alloc(0x1000, 1, stack);
        recorder.Recording.DrainOnce();
        recorder.End(recorder.Found[0].Id);
        var childSlot = target.Fork(slot, 300);
        Assert.Equal(slot, childSlot);
        target.Thread(childSlot, 300).Alloc(0x1000, 2, stack);
        recorder.Recording.DrainOnce();
        Assert.Equal((300, recorder.Found[0].Id), (recorder.Found[1].Pid, recorder.Found[1].ParentId));

        using var trace = recorder.Read(first, recorder.Found[1].Id);
        Assert.Equal([1L, 2L], trace.Processes.Skip(1).Select(process => process.Totals.LiveBytes));
    }

    [Fact]
    public void A_child_that_got_its_grandparents_slot_and_its_parent_are_each_found_once()
    {
        using var recorder = new Recorder();
        var target = new Target();
        recorder.Attach(target);
        var slot = target.Fork(0, 200);
        recorder.Recording.Flush();
        var childSlot = target.Fork(slot, 300); // not heard of yet
        recorder.End(recorder.Found[0].Id);
        Assert.Equal(slot, target.Fork(childSlot, 400));
        recorder.Recording.Flush();
        Assert.Equal([200, 300, 400], recorder.Found.Select(child => child.Pid).Order());
        var ids = recorder.Found.ToDictionary(child => child.Pid, child => child.Id);
        var parents = recorder.Found.ToDictionary(child => child.Pid, child => child.ParentId);
        Assert.Equal((ids[200], ids[300]), (parents[300], parents[400]));
    }

    [Fact]
    public void A_hello_of_a_known_pid_ends_its_old_image_before_the_new_one_counts()
    {
        using var recorder = new Recorder();
        var old = new Target();
        recorder.Attach(old);
        old.Thread(0, 100).Alloc(0x1000, 1000, old.AddStack(0x401000));
        recorder.At(20);
        var image = new Target();
        var again = recorder.Attach(
            image, Target.Introduction(startNs: old.ClockNs) with { Origin = ProcessOrigin.Spawn, Command = "other" });
        image.Thread(0, 100).Alloc(0x1000, 600, image.AddStack(0x401000));

        using var trace = recorder.Read(again);
        var (first, second) = (trace.Processes[0], trace.Processes[1]);
        Assert.Equal((ProcessEnding.Exec, 1000), (first.Ending, first.Totals.LiveBytes));
        Assert.Equal((ProcessOrigin.Exec, 1, "other"), (second.Origin, second.Image, second.Command));
        Assert.Equal(20_000_000, first.EndNs);
        Assert.Equal(1000, trace.Info.Peak!.Bytes);
        Assert.Equal([1000L, 0L], trace.StackTotals().Select(row => row.PeakBytes));
        Assert.Equal([1000L, 600L], trace.StackTotals().Select(row => row.ProcessPeakBytes));
    }

    [Fact]
    public void A_later_peak_takes_the_share_of_an_ended_process_back()
    {
        using var recorder = new Recorder();
        var old = new Target();
        var first = recorder.Attach(old);
        old.Thread(0, 100).Alloc(0x1000, 1000, old.AddStack(0x401000));
        recorder.Recording.DrainOnce();
        recorder.End(first);
        recorder.Recording.Flush(); // its rows are written, and its memory is freed
        var next = new Target();
        var second = recorder.Attach(next, Target.Introduction(pid: 101));
        next.Thread(0, 101).Alloc(0x1000, 2000, next.AddStack(0x401000));

        using var trace = recorder.Read(second);
        Assert.Equal([0L, 2000L], trace.StackTotals().Select(row => row.PeakBytes));
        Assert.Equal([1000L, 2000L], trace.StackTotals().Select(row => row.ProcessPeakBytes));
        Assert.Equal((2000, 2000), (trace.Info.Peak!.LowBytes, trace.Info.Peak!.HighBytes));
    }

    [Fact]
    public void A_region_is_let_go_when_nobody_has_it_any_more()
    {
        using var recorder = new Recorder();
        var target = new Target();
        target.Memory.MappedByOthers = true; // a child that has not allocated yet
        var first = recorder.Attach(target);
        recorder.End(first);
        recorder.Recording.Commit();
        Assert.False(target.Memory.IsDisposed);

        var slot = target.Fork(0, 200);
        target.Thread(slot, 200).Alloc(0x1000, 8, target.AddStack(0x401000));
        recorder.Recording.DrainOnce();
        var child = Assert.Single(recorder.Found);
        target.Memory.MappedByOthers = false;
        recorder.Recording.Flush();
        Assert.False(target.Memory.IsDisposed);
        recorder.End(child.Id);
        recorder.Recording.Flush();
        Assert.True(target.Memory.IsDisposed);

        using var trace = recorder.Read();
        Assert.Equal((1, 8), (trace.Processes[1].Totals.LiveBlocks, trace.Processes[1].Totals.LiveBytes));
    }
}
