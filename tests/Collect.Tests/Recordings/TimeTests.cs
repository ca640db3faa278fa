using NativeHeap.Trace;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed unsafe class TimeTests
{
    [Fact]
    public void Cohorts_and_timeline_know_what_was_alive_at_the_edge_of_every_bucket()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 1, stack);
        thread.Alloc(0x2000, 2, stack);
        recorder.At(9);
        thread.Free(0x1000); // still bucket 0
        recorder.At(10);
        thread.Alloc(0x3000, 4, stack);
        thread.Alloc(0x4000, 8, stack);
        thread.Free(0x4000);
        recorder.Recording.DrainOnce();
        recorder.Recording.Flush();
        recorder.At(35);
        thread.Free(0x2000);

        using var trace = recorder.Read(process);
        Assert.Equal(
            [(0, 0, 1, 1L), (0, 3, 1, 2L), (1, -1, 1, 4L), (1, 1, 1, 8L)],
            trace.Cohorts().Select(row => (row.Birth, row.Death, (int)row.Blocks, row.Bytes)));
        Assert.Equal(
            [(0L, 2L, 3L, 2L), (10_000_000, 6, 14, 4), (30_000_000, 4, 6, 4)],
            trace.Timeline().Select(row => (row.TimeNs, row.LiveBytes, row.LivePeakBytes, row.Allocations)));
    }

    [Fact]
    public void A_block_that_dies_by_a_ring_whose_clock_is_behind_dies_in_the_bucket_of_its_birth()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var one = target.Thread(0, 100);
        var two = target.Thread(0, 101);
        two.Alloc(0x2000, 2, stack); // says that it is 0 ms
        recorder.At(25);
        one.Alloc(0x1000, 4, stack);
        target.ClockNs = Target.StartNs; // the second has not looked since
        two.Free(0x1000);
        recorder.At(25);

        using var trace = recorder.Read(process);
        Assert.Equal(
            [(0, -1, 2L), (2, 2, 4L)], trace.Cohorts().Select(row => (row.Birth, row.Death, row.Bytes)).Order());
        Assert.Equal(
            [(0L, 2L), (20_000_000, 2)], trace.Timeline().Select(row => (row.TimeNs, row.LiveBytes)));
    }

    [Fact]
    public void Buckets_double_when_a_run_grows_long_and_rows_merge()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var thread = target.Thread(0, 100);
        var ended = new Target();
        recorder.Attach(ended, Target.Introduction(pid: 101));
        var other = ended.Thread(0, 101);
        other.Alloc(0x1000, 64, ended.AddStack(0x401000));
        recorder.At(10);
        other.Alloc(0x2000, 32, ended.AddStack(0x401000));
        recorder.Recording.DrainOnce();
        var second = recorder.Recording.Processes[1].Id;
        recorder.End(second);
        recorder.Recording.Flush(); // these rows are out of our hands when buckets double

        var random = new Random(1);
        var live = new List<(ulong Address, long Ms, long Bytes)>();
        var expected = new Dictionary<(long Birth, long Death), long>();
        long ms = 10;
        for (ulong i = 0; i < 3000; i++)
        {
            ms += random.Next(40);
            recorder.At(ms);
            var address = 0x100000 + (i * 16);
            thread.Alloc(address, i, stack);
            live.Add((address, ms, (long)i));
            while (live.Count > 0 && random.Next(10) < 4)
            {
                var (dead, born, bytes) = live[0];
                live.RemoveAt(0);
                thread.Free(dead);
                expected[(born, ms)] = expected.GetValueOrDefault((born, ms)) + bytes;
            }

            if (i % 100 == 0)
            {
                recorder.Recording.DrainOnce();
                recorder.Recording.AddResident(process, target.ClockNs, (long)i * 4096);
                recorder.Recording.Commit();
            }
        }

        using var trace = recorder.Read(process);
        var width = trace.Info.BucketNs!.Value / 1_000_000;
        Assert.Equal(80, width); // the least that gives the 60 s fewer than 1,024 buckets
        foreach (var (address, born, bytes) in live)
        {
            expected[(born, -width)] = expected.GetValueOrDefault((born, -width)) + bytes;
        }

        var merged = expected
            .GroupBy(item => (item.Key.Birth / width, item.Key.Death / width))
            .Select(group => (group.Key.Item1, group.Key.Item2, group.Sum(item => item.Value)))
            .Order();
        Assert.Equal(
            merged,
            trace.Cohorts().Where(row => row.Process == process)
                .Select(row => ((long)row.Birth, (long)row.Death, row.Bytes)).Order());
        Assert.Equal(
            [new CohortRow(second, trace.StackTotals().Last().Stack, 0, -1, 2, 96)],
            trace.Cohorts().Where(row => row.Process == second));
        CheckTimeline(trace, process, width, expected, (long)(2900 * 4096));
        var early = trace.Timeline().Single(row => row.Process == second);
        Assert.Equal((0L, 96L, 96L, 2L), (early.TimeNs, early.LiveBytes, early.LivePeakBytes, early.Allocations));
    }

    [Fact]
    public void What_waits_for_its_module_while_buckets_double_is_counted_in_the_wider_ones()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.View.Header->ModuleCount = 1; // claimed, not filled in
        var stack = target.AddStack(0x7000_1000);
        var thread = target.Thread(0, 100);
        recorder.At(500);
        thread.Alloc(0x1000, 10, stack);
        thread.Alloc(0x3000, 5, stack);
        recorder.At(700);
        thread.Free(0x1000);
        thread.Free(0x3000);
        recorder.Recording.DrainOnce();
        recorder.Recording.Commit();
        recorder.At(11_000);
        thread.Alloc(0x2000, 20, stack);
        recorder.Recording.DrainOnce();
        recorder.Recording.Commit();
        target.View.Header->ModuleCount = 0;
        target.AddModule("/lib/libx.so", 0x7000_0000, 0x7001_0000, 0x7000_0000);

        using var trace = recorder.Read(process);
        Assert.Equal(20_000_000, trace.Info.BucketNs);
        Assert.Equal([(25, 35, 15L), (550, -1, 20L)], trace.Cohorts().Select(row => (row.Birth, row.Death, row.Bytes)));
    }

    [Fact]
    public void Buckets_double_when_there_are_too_many_cohorts()
    {
        using var recorder = new Recorder();
        var target = new Target(new TargetMemory(ringBytes: 1 << 20));
        var process = recorder.Attach(target);
        var stacks = Enumerable.Range(0, 300).Select(i => target.AddStack(0x401000 + (ulong)(i * 16))).ToList();
        var thread = target.Thread(0, 100);
        const int Times = 50; // every stack has blocks of every birth that die at every later time: 382,500 cohorts
        for (var time = 0; time < Times; time++)
        {
            recorder.At(time * 10);
            for (var i = 0; i < stacks.Count; i++)
            {
                for (var birth = 0; birth < time; birth++)
                {
                    thread.Free(Address(i, birth, time));
                }

                for (var death = time; death < Times; death++)
                {
                    thread.Alloc(Address(i, time, death), 1, stacks[i]);
                }
            }

            recorder.Recording.DrainOnce();
            recorder.Recording.Flush();
            recorder.Recording.Commit(); // sees what the flush has counted
        }

        using var trace = recorder.Read(process);
        Assert.InRange(trace.Info.BucketNs!.Value, 20_000_000, 80_000_000);
        var rows = trace.Cohorts().ToList();
        Assert.InRange(rows.Count, 1, 2 * TraceCommitter.MostCohorts);
        Assert.Equal(trace.Processes[0].Totals.Allocations, rows.Sum(row => row.Blocks));
        Assert.Equal(
            stacks.Count * Times, rows.Where(row => row.Death == CohortRow.NeverFreed).Sum(row => row.Blocks));

        static ulong Address(int stack, int birth, int death) =>
            0x100000 + ((ulong)((((stack * Times) + birth) * Times) + death) * 16);
    }

    [Fact]
    public void Resident_size_is_in_the_timeline_without_any_event()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.Thread(0, 100).Alloc(0x1000, 5, target.AddStack(0x401000));
        recorder.Recording.DrainOnce();
        recorder.At(105);
        recorder.Recording.AddResident(process, target.ClockNs, 12345);

        using var trace = recorder.Read(process);
        Assert.Equal(
            [(0L, 5L, (long?)null), (100_000_000, 5, 12345)],
            trace.Timeline().Select(row => (row.TimeNs, row.LiveBytes, row.RssBytes)));
    }

    [Fact]
    public void A_time_that_cannot_be_is_moved_to_one_that_can()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var thread = target.Thread(0, 100);
        recorder.At(20);
        target.ClockNs = ulong.MaxValue >> 8;
        thread.Alloc(0x1000, 5, target.AddStack(0x401000));
        recorder.At(30);

        using var trace = recorder.Read(process);
        Assert.InRange(trace.Cohorts().Single().Birth, 2, 103); // no more than a second beyond the clock
    }

    private static void CheckTimeline(
        TraceReader trace, Model.ProcessId process, long width, Dictionary<(long Birth, long Death), long> cohorts, long rss)
    {
        var rows = trace.Timeline().Where(row => row.Process == process).ToList();
        Assert.All(rows, row =>
        {
            var bucket = row.TimeNs / 1_000_000 / width;
            var alive = cohorts
                .Where(item => item.Key.Birth / width <= bucket && (item.Key.Death < 0 || item.Key.Death / width > bucket))
                .Sum(item => item.Value);
            Assert.Equal(alive, row.LiveBytes);
            Assert.True(row.LivePeakBytes >= row.LiveBytes);
        });
        Assert.Equal(trace.Processes[0].Totals.Peak.Bytes, rows.Max(row => row.LivePeakBytes));
        Assert.Equal(3000, rows[^1].Allocations);
        Assert.Equal(rss, rows.Last(row => row.RssBytes is not null).RssBytes);
        Assert.Equal(30, rows.Count(row => row.RssBytes is not null));
    }
}
