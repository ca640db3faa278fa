using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>A server that is kept busy under the profiler for minutes, and the collector's memory meanwhile.</summary>
internal static class LongRun
{
    private const long MiB = 1 << 20;

    private static readonly TimeSpan s_duration = TimeSpan.FromMinutes(
        double.Parse(Environment.GetEnvironmentVariable("NATIVEHEAP_TEST_MINUTES") ?? "10", CultureInfo.InvariantCulture));

    /// <summary>How long a program that ends by itself is to run, in seconds.</summary>
    public static int Seconds => (int)s_duration.TotalSeconds;

    /// <summary>Makes requests round after round, and fails when the collector's memory grows in the second half.</summary>
    /// <param name="trace">The server's.</param>
    /// <param name="round">Makes some, and fails when one is not answered as it should be.</param>
    public static void Load(Recording trace, Action round)
    {
        var memory = new List<long>();
        var rounds = 0;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < s_duration && !trace.HasEnded; rounds++)
        {
            round();
            memory.Add(CollectorBytes(trace));
        }

        Assert.False(trace.HasEnded, "it ended before its time");
        AssertFlat(memory, $"{rounds} rounds");
    }

    /// <summary>Watches the collector while a program runs that loads itself.</summary>
    public static void Watch(Recording trace)
    {
        var memory = new List<long>();
        while (!trace.HasEnded)
        {
            memory.Add(CollectorBytes(trace));
            Thread.Sleep(TimeSpan.FromSeconds(1)); // the distance of the looks, nothing else
        }

        memory.RemoveRange(Math.Max(0, memory.Count - 5), Math.Min(5, memory.Count)); // it closes the trace
        AssertFlat(memory, $"{memory.Count} looks");
    }

    /// <summary>Says what was recorded, after checking that it is all.</summary>
    public static void AssertWhole(Recording trace)
    {
        var report = trace.Report;
        Assert.True(report is { Complete: true, LostEvents: 0 });
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Processes.Count} processes, {report.Totals.Sums.Allocations} allocations, {report.Totals.Sums.Frees} frees, trace {new FileInfo(trace.TracePath).Length / 1024} KiB"));
    }

    private static void AssertFlat(List<long> memory, string what)
    {
        var half = memory.Skip(memory.Count / 2).ToList();
        var (before, after) = (Median(half.Take(half.Count / 2)), Median(half.Skip(half.Count / 2)));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what}; collector {memory.Max() / MiB} MiB at most, {before / MiB} MiB in the third quarter, {after / MiB} MiB in the last"));
        Assert.InRange(after, 0, (before * 11 / 10) + (4 * MiB));
    }

    private static long Median(IEnumerable<long> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static long CollectorBytes(Recording trace)
    {
        foreach (var (pid, _) in Signals.ChildrenOf(trace.Pid))
        {
            try
            {
                if (File.ReadAllText($"/proc/{pid}/cmdline").Split('\0').Take(2).Contains(Built.Command))
                {
                    var line = File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
                    return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
                }
            }
            catch (IOException)
            {
                // a child of the program's, which has ended
            }
        }

        throw new InvalidOperationException("there is no collector");
    }
}
