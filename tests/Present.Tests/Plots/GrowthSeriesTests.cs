using NativeHeap.Analysis;
using NativeHeap.Fixtures;
using NativeHeap.Testing;
using NativeHeap.Model;
using NativeHeap.Present.Plots;

namespace NativeHeap.Present.Tests.Plots;

public sealed class GrowthSeriesTests : IDisposable
{
    private const long Bucket = 10_000_000;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Areas_are_the_bytes_that_lived_at_each_time()
    {
        var random = new Random(7);
        var blocks = Enumerable.Range(0, 300)
            .Select(i => (Stack: i % 5, Birth: random.Next(100), Length: random.Next(-1, 60), Bytes: 1L + random.Next(5000)))
            .Select(b => (b.Stack, b.Birth, Death: b.Length < 0 || b.Birth + b.Length > 99 ? -1 : b.Birth + b.Length, b.Bytes))
            .DistinctBy(b => (b.Stack, b.Birth, b.Death))
            .ToList();
        var trace = new TraceBuilder();
        var process = trace.Process(1);
        var stacks = Enumerable.Range(0, 5).Select(i => Function(trace, $"function{i}")).ToArray();
        foreach (var (stack, birth, death, bytes) in blocks)
        {
            trace.Blocks(process, stacks[stack], birth, death, 1, bytes);
        }
        trace.Timeline(process, 1_000_000_000, 1);

        var series = Read(trace, mostAreas: 7);

        Assert.Equal(5, series.Areas.Count);
        for (var i = 0; i < series.AreaTimesNs.Count; i++)
        {
            var edge = series.AreaTimesNs[i] / Bucket;
            foreach (var area in series.Areas)
            {
                var stack = int.Parse(area.Label["function".Length..].Split(' ')[0], null);
                var lived = blocks.Where(b => b.Stack == stack && b.Birth < edge && (b.Death < 0 || b.Death >= edge));
                Assert.Equal((area.Label, edge, lived.Sum(b => b.Bytes)), (area.Label, edge, area.Bytes[i]));
            }
        }
    }

    [Fact]
    public void Stacks_that_a_person_would_call_the_same_are_one_area()
    {
        var trace = new TraceBuilder();
        var process = trace.Process(1);
        var module = trace.Module("/srv/server");
        var load = trace.Code(module, 0x10, new ResolvedFrame("load", null, null, false));
        var first = trace.Code(module, 0x20, new ResolvedFrame("first", null, null, false));
        var second = trace.Code(module, 0x30, new ResolvedFrame("second", null, null, false));
        var malloc = trace.Entry(EntryPoint.Malloc);
        trace.Blocks(process, trace.Stack(first, load, malloc), 0, -1, 1, 100)
            .Blocks(process, trace.Stack(second, load, malloc), 0, -1, 1, 50)
            .Timeline(process, Bucket, 150);

        var area = Assert.Single(Read(trace, mostAreas: 7).Areas);

        Assert.Equal(("load (server)", 150L, false), (area.Label, area.Bytes[^1], area.IsRest));
    }

    [Fact]
    public void What_has_no_area_of_its_own_is_in_the_rest()
    {
        var trace = new TraceBuilder();
        var process = trace.Process(1);
        for (var i = 1; i <= 6; i++)
        {
            trace.Blocks(process, Function(trace, $"function{i}"), 0, -1, 1, 100 * i);
        }
        trace.Timeline(process, Bucket, 2100);

        var series = Read(trace, mostAreas: 2, stacks: 4);

        Assert.Equal(["function6 (server)", "function5 (server)", "other stacks"], series.Areas.Select(area => area.Label));
        Assert.Equal([600L, 500L, 1000L], series.Areas.Select(area => area.Bytes[^1]));
        Assert.Equal([false, false, true], series.Areas.Select(area => area.IsRest));
    }

    [Fact]
    public void A_heap_that_stands_still_is_drawn_still()
    {
        var trace = new TraceBuilder();
        var process = trace.Process(1);
        trace.Blocks(process, Function(trace, "load"), 0, 90, 1, 1000)
            .Timeline(process, 0, 1000, peak: 4000, rss: 7000)
            .Timeline(process, 90 * Bucket, 0);

        var points = Read(trace, mostAreas: 1).Points;

        // Just before it shrinks it is what it was long ago, and not what it was at its most.
        var before = points.Last(point => point.TimeNs < 91 * Bucket);
        Assert.Equal((90 * Bucket, 1000L, 1000L), (before.TimeNs, before.LiveBytes, before.LivePeakBytes));
        Assert.Equal(4000, points.Max(point => point.LivePeakBytes));
        Assert.Equal((1_000_000_000, 0L), (points[^1].TimeNs, points[^1].LivePeakBytes));
    }

    [Fact]
    public void A_trace_without_a_moment_says_so()
    {
        var trace = new TraceBuilder();
        trace.Process(1);
        var error = Assert.Throws<ToolException>(() => Read(trace, mostAreas: 7));
        Assert.Equal(ExitCodes.Input, error.ExitCode);
        Assert.Contains("no allocation was recorded", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("complete", 0, "incomplete")]
    [InlineData("exact", 0, "estimated")]
    [InlineData("end_ns", null, "broke off")]
    public void What_is_less_than_the_truth_is_remarked(string key, object? value, string word)
    {
        var trace = new TraceBuilder().Meta(key, value);
        var process = trace.Process(1);
        trace.Blocks(process, Function(trace, "load"), 0, -1, 1, 10).Timeline(process, Bucket, 10);
        Assert.Contains(word, Read(trace, mostAreas: 7).Remark, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_run_gives_no_more_points_than_can_be_drawn_and_keeps_its_spike()
    {
        var trace = new TraceBuilder().Meta("end_ns", 5000 * Bucket);
        var process = trace.Process(1, ("end_ns", 5000 * Bucket));
        trace.Blocks(process, Function(trace, "load"), 0, -1, 1, 10);
        for (var i = 1; i <= 5000; i++)
        {
            trace.Timeline(process, i * Bucket, 10, peak: i == 3217 ? 123_456 : 10);
        }

        var series = Read(trace, mostAreas: 7, points: GrowthPicture.MostPoints / 2);

        Assert.InRange(series.Points.Count, 2, GrowthPicture.MostPoints);
        Assert.InRange(series.AreaTimesNs.Count, 2, GrowthPicture.MostPoints);
        Assert.Equal(3218 * Bucket, Assert.Single(series.Points, point => point.LivePeakBytes == 123_456).TimeNs);
    }

    internal static int Function(TraceBuilder trace, string name)
    {
        var place = trace.Code(trace.Module("/srv/server"), name.GetHashCode(StringComparison.Ordinal) & 0xFFFF, new ResolvedFrame(name, null, null, false));
        return trace.Stack(place, trace.Entry(EntryPoint.Malloc));
    }

    private GrowthSeries Read(TraceBuilder trace, int mostAreas, int stacks = 64, int points = 1000)
    {
        using var profile = Profile.Open(trace.Write(_folder["x.nheap"]));
        return GrowthSeries.From(profile, new TimelineQuestion { Stacks = stacks, Points = points }, mostAreas);
    }
}
