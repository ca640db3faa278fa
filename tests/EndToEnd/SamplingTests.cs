using System.Text.Json;

namespace NativeHeap.EndToEnd;

/// <summary>
/// Estimates of sampled runs against what the program counts. A count of n blocks, each recorded with the probability p and
/// counted 1/p times, has the variance n (1 - p) / p, and n p f (1 - f) more for 1/p being rounded up or down, with its
/// fraction f; bounds are six times the root of both, which a correct estimate misses once in 500 million times.
/// </summary>
public sealed class SamplingTests(SampledRun run) : IClassFixture<SampledRun>
{
    private const double Sigmas = 6;

    [Fact]
    public void Allocations_frees_and_live_blocks_are_estimated_without_bias()
    {
        var totals = run.Trace.Report.Totals.Sums;
        Near(run.Sizes.Select(size => (size.Size, size.Allocations)), totals.Allocations, bytes: false);
        Near(run.Sizes.Select(size => (size.Size, size.Allocations)), totals.AllocatedBytes, bytes: true);
        Near(run.Sizes.Select(size => (size.Size, size.Frees)), totals.Frees, bytes: false);
        Near(run.Sizes.Select(size => (size.Size, size.Allocations - size.Frees)), totals.LiveBlocks, bytes: false);
        Near(run.Sizes.Select(size => (size.Size, size.Allocations - size.Frees)), totals.LiveBytes, bytes: true);
    }

    [Fact]
    public void Every_function_and_size_is_estimated_for_itself()
    {
        var stacks = run.Trace.ReportBy("count").Stacks;
        foreach (var entry in run.Sizes.GroupBy(size => size.Entry))
        {
            var own = stacks.Where(stack => stack.Entry == entry.Key).ToList();
            var counts = entry.Select(size => (size.Size, size.Allocations)).ToList();
            Near(counts, own.Sum(stack => stack.Blocks), bytes: false);
            Near(counts, own.Sum(stack => stack.Bytes), bytes: true);
        }
    }

    [Fact]
    public void What_a_thread_frees_before_it_allocates_again_is_temporary()
    {
        var estimate = run.Trace.ReportBy("temporary").Stacks.Sum(stack => stack.Blocks);
        Near(run.Sizes.Select(size => (size.Size, size.Temporary)), estimate, bytes: false);
    }

    [Fact]
    public void Frees_of_inherited_blocks_are_estimated_in_the_child()
    {
        var estimate = run.Trace.Query("SELECT inherited_frees FROM process ORDER BY id DESC")[0][0];
        Near([(run.InheritedSize, run.InheritedFrees)], (long)estimate!, bytes: false);
    }

    [Fact]
    public void The_trace_says_what_it_is_and_lost_nothing()
    {
        Assert.False(run.Trace.Report.Exact);
        Assert.True(run.Trace.Report is { Complete: true, LostEvents: 0 });
        Assert.Equal([0L, 1024L], run.Trace.Query("SELECT value FROM meta WHERE key IN ('exact', 'sample_bytes') ORDER BY key").Select(row => row[0]));
        Assert.Equal([["start", 1024L], ["start", 1024L]], run.Trace.Query("SELECT reason, sample_bytes FROM sampling"));
        Assert.Contains("ESTIMATES from samples, one in 1.0 KiB on average\n", string.Join("\n", run.Trace.Outcome.Said), StringComparison.Ordinal);
        Assert.Equal(0L, run.Trace.Query("SELECT sum(foreign_frees) FROM process")[0][0]);
    }

    /// <summary>What is added to the variance where a block counts for a whole number of blocks, or at most of bytes.</summary>
    internal static double Rounding(double count, double p, bool bytes)
    {
        var fraction = (1 / p) - Math.Floor(1 / p);
        return count * p * (bytes ? 0.25 : fraction * (1 - fraction));
    }

    private static void Near(IEnumerable<(long Size, long Count)> blocks, long estimate, bool bytes)
    {
        double truth = 0, variance = 0;
        foreach (var (size, count) in blocks)
        {
            var p = 1 - Math.Exp(-(size + 1.0) / SampledRun.Mean);
            var each = bytes ? size : 1.0;
            truth += count * each;
            variance += (count * each * each * (1 - p) / p) + Rounding(count, p, bytes);
        }
        var bound = Sigmas * Math.Sqrt(variance);
        Assert.InRange(estimate, truth - bound, truth + bound + 1000); // libc's own blocks: a thread's start, stdio
    }
}

/// <summary>The target sample_sizes, sampled once for all claims.</summary>
public sealed class SampledRun : IDisposable
{
    internal const double Mean = 1024;

    private readonly TempFolder _folder = new();

    public SampledRun()
    {
        Trace = Recording.Run(_folder, [Built.Target("sample_sizes"), "20000"], null, "--sample", "1KiB");
        var counts = JsonDocument.Parse(Trace.Outcome.Expect(0).Output).RootElement;
        InheritedSize = counts.GetProperty("inherited_size").GetInt64();
        InheritedFrees = counts.GetProperty("inherited_frees").GetInt64();
        Sizes = [.. counts.GetProperty("sizes").EnumerateArray().Select(size => new SizeCount(
            size.GetProperty("entry").GetString()!,
            size.GetProperty("size").GetInt64(),
            size.GetProperty("allocations").GetInt64(),
            size.GetProperty("frees").GetInt64(),
            size.GetProperty("temporary").GetInt64()))];
    }

    internal Recording Trace { get; }

    internal IReadOnlyList<SizeCount> Sizes { get; }

    internal long InheritedSize { get; }

    internal long InheritedFrees { get; }

    public void Dispose()
    {
        Trace.Dispose();
        _folder.Dispose();
    }
}

/// <summary>What the target says of the blocks of one function and size.</summary>
internal sealed record SizeCount(string Entry, long Size, long Allocations, long Frees, long Temporary);
