using CsCheck;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed class SeveralThreadsTests
{
    [Fact]
    public void A_free_that_is_read_before_its_malloc_waits_for_it()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var one = target.Thread(0, 100);
        var two = target.Thread(0, 101);
        one.Immediate = false;
        one.Alloc(0x1000, 100, stack);
        two.Free(0x1000);
        two.Alloc(0x1000, 30, stack);
        recorder.Recording.DrainOnce();
        Assert.Equal(0, recorder.Recording.LiveBlocks);
        one.Publish();
        recorder.Recording.DrainOnce();
        Assert.Equal((1, 30), (recorder.Recording.LiveBlocks, recorder.Recording.LiveBytes));

        using var trace = recorder.Read(process);
        Assert.Equal((2, 1), (trace.Processes[0].Totals.Allocations, trace.Processes[0].Totals.Frees));
        Assert.Equal(0, trace.Info.LostEvents);
    }

    [Fact]
    public void Both_halves_of_a_realloc_wait_for_their_own_turn()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var one = target.Thread(0, 100);
        var two = target.Thread(0, 101);
        one.Immediate = false;
        one.Alloc(0x1000, 100, stack);
        one.Alloc(0x2000, 10, stack);
        one.Free(0x2000);
        two.Move(0x1000, 0x2000, 200, stack); // its old block and its new address wait for different events
        recorder.Recording.DrainOnce();
        one.Publish(3);
        recorder.Recording.DrainOnce();
        Assert.Equal(1, recorder.Recording.LiveBlocks);
        one.Publish();
        recorder.Recording.DrainOnce();
        Assert.Equal((1, 200), (recorder.Recording.LiveBlocks, recorder.Recording.LiveBytes));

        using var trace = recorder.Read(process);
        Assert.Equal((3, 2), (trace.Processes[0].Totals.Allocations, trace.Processes[0].Totals.Frees));
    }

    [Fact]
    public void A_number_that_never_comes_is_passed_over_at_the_end_and_counted()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var thread = target.Thread(0, 100);
        target.TakeNumber(0, 0x1000); // a thread killed inside its hook
        thread.Alloc(0x1000, 100, stack);
        thread.Alloc(0x2000, 10, stack);
        recorder.Recording.DrainOnce();
        Assert.Equal(1, recorder.Recording.LiveBlocks);

        using var trace = recorder.Read(process);
        Assert.Equal((2, 110), (trace.Processes[0].Totals.LiveBlocks, trace.Processes[0].Totals.LiveBytes));
        Assert.Equal(1, trace.Info.LostEvents);
        Assert.False(trace.Processes[0].Complete);
        Assert.False(trace.Info.Complete);
    }

    [Fact]
    public void Two_threads_in_nodes_of_one_stack_have_a_share_each()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.Thread(0, 100).Alloc(0x1000, 100, target.AddStack(0x401000));
        recorder.Recording.Commit();
        var two = target.Thread(0, 101);
        two.Alloc(0x2000, 30, target.AddStack(0x401000)); // a node of its own, as after a full tree
        two.Free(0x1000);

        using var trace = recorder.Read(process);
        Assert.Null(Assert.Single(trace.StackTotals()).Thread);
        Assert.Equal(
            [(1, 1, 100, 1, 100), (2, 1, 30, 0, 0)],
            trace.ThreadShares().Select(row => (row.Thread, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes)));
    }

    [Fact]
    public void What_a_thread_gave_back_and_took_again_in_one_pass_is_not_certain_to_have_been_there_all_the_time()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var one = target.Thread(0, 100);
        var two = target.Thread(0, 101);
        one.Alloc(0x1000, 100, stack);
        recorder.Recording.DrainOnce();
        recorder.Recording.DrainOnce(); // in this pass it is there from beginning to end
        one.Free(0x1000);
        one.Alloc(0x1000, 100, stack);
        two.Alloc(0x2000, 50, stack); // perhaps between the two
        two.Free(0x2000);
        recorder.Recording.DrainOnce();

        using var trace = recorder.Read(process);
        var peak = trace.Processes[0].Totals.Peak;
        Assert.Equal((100, 150), (peak.LowBytes, peak.HighBytes));
    }

    [Fact]
    public void The_highest_total_of_two_processes_is_seen_where_neither_is_at_its_own()
    {
        using var recorder = new Recorder();
        var (first, second) = (new Target(), new Target());
        var one = recorder.Attach(first);
        var two = recorder.Attach(second, Target.Introduction(pid: 101));
        var thread = first.Thread(0, 100);
        var stack = first.AddStack(0x401000);
        thread.Alloc(0x1000, 1000, stack);
        thread.Free(0x1000);
        recorder.Recording.DrainOnce();
        second.Thread(0, 101).Alloc(0x1000, 600, second.AddStack(0x401000));
        recorder.Recording.DrainOnce();
        thread.Alloc(0x2000, 900, stack);
        recorder.Recording.DrainOnce();

        using var trace = recorder.Read(one, two);
        Assert.Equal((1500, 2), (trace.Info.Peak!.Bytes, trace.Info.Peak!.Blocks));
        Assert.Equal([1000L, 600], trace.Processes.Select(process => process.Totals.Peak.Bytes));
    }

    [Fact]
    public void Rings_that_filled_in_the_same_time_are_read_side_by_side()
    {
        using var recorder = new Recorder();
        var target = new Target(new TargetMemory(ringBytes: 1 << 17));
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var one = target.Thread(0, 100);
        var two = target.Thread(0, 101);
        for (ulong i = 0; i < 4000; i++)
        {
            one.Alloc(0x10000 + (16 * i), 100, stack);
            two.Free(0x10000 + (16 * i));
        }

        recorder.Recording.DrainOnce();
        using var trace = recorder.Read(process);
        var peak = trace.Processes[0].Totals.Peak;
        Assert.Equal(4000, trace.Processes[0].Totals.Frees);
        Assert.InRange(100, peak.LowBytes, peak.HighBytes);
        Assert.InRange(peak.Bytes, 100, 4000 * 100 / 8); // one ring after the other would make it all of them
    }

    [Fact]
    public void Totals_stacks_and_bounds_are_right_in_whatever_order_rings_are_read()
    {
        RandomProgram.Steps.Sample(
            steps =>
            {
                using var recorder = new Recorder();
                var program = new RandomProgram(recorder, steps);
                using var trace = program.Run();
                program.Check(trace);
            },
            iter: 150,
            threads: 1);
    }
}
