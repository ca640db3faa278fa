using NativeHeap.Collect.Sessions;
using NativeHeap.Memory.Proc;
using NativeHeap.Testing;

namespace NativeHeap.Collect.Tests.Sessions;

/// <summary>When snapshots are due that nobody asks for.</summary>
public sealed class TriggerTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void A_new_peak_is_one_that_exceeds_all_snapshots_by_its_margin()
    {
        var triggers = new SnapshotTriggers(new SnapshotOptions { PeakPercent = 50 });
        Assert.Equal([null, null, "peak"], Feed(triggers, 0, MiB, (MiB * 3) / 2));
        Assert.Equal([null, null, null, "peak"], Feed(triggers, MiB, 2 * MiB, MiB, 4 * MiB));
        Assert.Equal([null, null], Feed(triggers, MiB, 5 * MiB));
        triggers.Taken(5 * MiB); // by anybody
        Assert.Equal([null, "peak"], Feed(triggers, 7 * MiB, 15 * MiB / 2));
    }

    [Fact]
    public void A_heap_that_grows_without_end_has_few_peaks()
    {
        var triggers = new SnapshotTriggers(new SnapshotOptions { PeakPercent = 10 });
        var steps = Enumerable.Range(0, 100_000).Select(step => (step + 1L) * MiB);
        Assert.InRange(Feed(triggers, [.. steps]).Count(reason => reason == "peak"), 90, 121); // 1.1 to the 121st is 100,000
    }

    [Fact]
    public void Resident_memory_counts_once_until_it_has_fallen_clearly()
    {
        var watch = new MemoryWatch(new SnapshotOptions { ResidentBytes = 1000 }, _ => null);
        Assert.Equal([null, null, "rss", null, null, null], Look(watch, 500, 999, 1000, 2000, 950, 1000));
        Assert.Equal([null, "rss"], Look(watch, 899, 1001));
    }

    [Fact]
    public void It_is_looked_at_more_often_when_it_is_near()
    {
        var watch = new MemoryWatch(new SnapshotOptions { ResidentBytes = 1000 }, _ => null);

        bool IsNearAt(long bytes)
        {
            watch.BeginRound();
            watch.Look(7, bytes);
            return watch.IsNear;
        }

        Assert.Equal((false, true, false), (IsNearAt(700), IsNearAt(900), IsNearAt(1000)));
    }

    [Fact]
    public void A_process_that_others_replace_is_forgotten()
    {
        var watch = new MemoryWatch(new SnapshotOptions { ResidentBytes = 1000 }, _ => null);
        Assert.Equal(["rss"], Look(watch, 1000));
        watch.Keep(new HashSet<int> { 8 });
        Assert.Equal(["rss"], Look(watch, 1000));
    }

    [Fact]
    public void The_limit_of_a_control_group_is_what_the_kernel_says_at_the_time()
    {
        using var folder = new TempFolder();
        folder.Write("proc/self/mountinfo", "30 23 0:26 / /g rw - cgroup2 cgroup2 rw\n");
        folder.Write("proc/7/cgroup", "0::/\n");
        folder.Write("g/memory.max", "1000\n");
        var watch = new MemoryWatch(new SnapshotOptions { LimitPercent = 80 }, pid => MemoryLimits.Of(pid, folder.Path));

        string? At(int used)
        {
            folder.Write("g/memory.current", $"{used}\n");
            return watch.Look(7, 1);
        }

        Assert.Equal((null, "limit"), (At(799), At(800)));
        Assert.Equal((null, null, "limit"), (At(990), At(700), At(850)));
    }

    [Theory]
    [InlineData("USR2", 12)]
    [InlineData("sigusr1", 10)]
    [InlineData("12", 12)]
    [InlineData("RTMIN+5", 39)]
    [InlineData("SIGRTMAX-1", 63)]
    [InlineData("KILL", 0)]
    [InlineData("15", 0)]
    [InlineData("11", 0)]
    [InlineData("CHLD", 0)]
    [InlineData("RTMIN+99", 0)]
    [InlineData("53", 0)] // threads park on it
    [InlineData("", 0)]
    [InlineData("-1", 0)]
    public void A_signal_is_taken_only_where_it_means_nothing_else(string text, int expected)
    {
        Assert.Equal(expected != 0, SnapshotSignal.TryParse(text, out var signal));
        Assert.True(expected == 0 || signal == expected);
    }

    private static List<string?> Feed(SnapshotTriggers triggers, params long[] live) =>
    [
        .. live.Select(bytes =>
        {
            var reason = triggers.Due(1, bytes);
            if (reason is not null)
            {
                triggers.Taken(bytes);
            }
            return reason;
        }),
    ];

    private static List<string?> Look(MemoryWatch watch, params long[] resident) =>
        [.. resident.Select(bytes => watch.Look(7, bytes))];
}
