using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Analysis.Tests;

public sealed class TimelineTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TraceBuilder _trace = new TraceBuilder().Meta("end_ns", 1000).Meta("bucket_ns", 10);

    public void Dispose() => _folder.Dispose();

    private HeapTimeline Build(TimelineQuestion? question = null)
    {
        using var profile = Profile.Open(_trace.Write(_folder["a.nheap"]));
        return profile.Timeline(question ?? new TimelineQuestion());
    }

    [Fact]
    public void Points_sum_the_latest_state_of_each_process_at_the_ends_of_buckets()
    {
        _trace.Process(1, ("end_ns", 1000));
        _trace.Process(2, ("end_ns", 1000));
        _trace.Timeline(1, 10, 100, 120, 1000).Timeline(2, 20, 7, 8).Timeline(1, 30, 50).Timeline(2, 40, 9, 9, 500);

        Assert.Equal(
            [
                new TimelinePoint(20, 100, 120, 1000, 100),
                new TimelinePoint(30, 107, 108, 1000, 107),
                new TimelinePoint(40, 57, 57, 1000, 107),
                new TimelinePoint(50, 59, 59, 1500, 109),
            ],
            Build().Points);
    }

    [Fact]
    public void A_process_that_ended_takes_its_memory_along_even_when_its_last_bucket_ends_later()
    {
        _trace.Process(1, ("end_ns", 1000));
        _trace.Process(2, ("end_ns", 45));
        _trace.Timeline(1, 10, 100, null, 1000).Timeline(2, 40, 7, 9, 600);

        Assert.Equal(
            [
                new TimelinePoint(20, 100, 100, 1000, 100),
                new TimelinePoint(44, 107, 109, 1600, 107),
                new TimelinePoint(45, 100, 100, 1000, 107),
            ],
            Build().Points);
    }

    [Fact]
    public void Of_many_points_the_highest_and_the_last_stay()
    {
        _trace.Meta("bucket_ns", 1).Process(1, ("end_ns", 1000));
        for (var time = 0; time < 1000; time++)
        {
            _trace.Timeline(1, time, time == 555 ? 9999 : time % 7, null, time == 556 ? 7777 : 100);
        }

        var points = Build(new TimelineQuestion { Points = 20 }).Points;

        Assert.InRange(points.Count, 10, 25);
        var spike = points.Single(p => p.LivePeakBytes == 9999);
        Assert.Equal((556, 9999, 7777), (spike.TimeNs, spike.LiveBytes, spike.RssBytes));
        Assert.Equal((1000, 999 % 7), (points[^1].TimeNs, points[^1].LiveBytes));
        Assert.Equal(points.Select(p => p.TimeNs).Order(), points.Select(p => p.TimeNs));
    }

    [Fact]
    public void Of_many_edges_the_highest_of_each_group_stays_and_the_last()
    {
        var process = _trace.Process(1, ("end_ns", 1000));
        var stack = _trace.Stack(_trace.Code(null, 1), _trace.Entry(EntryPoint.Malloc));
        _trace.Blocks(process, stack, 41, 41, 1, 5000) // never there at an edge
            .Blocks(process, stack, 42, 42 + 1, 1, 3000)
            .Blocks(process, stack, 0, -1, 1, 10)
            .Blocks(process, stack, 99, -1, 1, 1);

        var timeline = Build(new TimelineQuestion { Points = 10 });

        Assert.InRange(timeline.StackTimesNs.Count, 8, 14);
        var bytes = Assert.Single(timeline.Stacks).Bytes;
        Assert.Equal(3010, bytes.Max());
        Assert.Equal(430, timeline.StackTimesNs[bytes.ToList().IndexOf(3010)]);
        Assert.Equal((1000, 11), (timeline.StackTimesNs[^1], bytes[^1]));
        Assert.Equal(timeline.StackTimesNs.Distinct().Order(), timeline.StackTimesNs);
    }

    [Fact]
    public void The_costliest_stacks_have_their_own_series_and_the_rest_is_one()
    {
        var process = _trace.Process(1, ("end_ns", 1000));
        var malloc = _trace.Entry(EntryPoint.Malloc);
        for (var i = 1; i <= 5; i++)
        {
            _trace.Blocks(process, _trace.Stack(_trace.Code(null, i), malloc), 0, -1, 1, i * 100);
        }

        var timeline = Build(new TimelineQuestion { Stacks = 2 });

        Assert.Equal([5UL, 4], timeline.Stacks.Select(s => s.Stack.Frames[0].Location.Offset));
        Assert.Equal(600, timeline.OtherBytes[^1]);
    }

    [Fact]
    public void What_was_born_after_its_processs_end_is_never_there()
    {
        _trace.Process(1, ("end_ns", 1000));
        var ended = _trace.Process(2, ("end_ns", 100));
        _trace.Blocks(ended, _trace.Stack(_trace.Code(null, 1), _trace.Entry(EntryPoint.Malloc)), 50, -1, 1, 10);

        Assert.All(Assert.Single(Build().Stacks).Bytes, b => Assert.Equal(0, b));
    }

    [Fact]
    public void A_trace_with_nothing_in_it_has_a_timeline_of_nothing()
    {
        _trace.Process(1, ("start_ns", 0), ("end_ns", 0));
        var timeline = Build();

        Assert.All(timeline.Points, p => Assert.Equal((0, 0), (p.LiveBytes, p.LivePeakBytes)));
        Assert.Empty(timeline.Stacks);
        Assert.All(timeline.OtherBytes, b => Assert.Equal(0, b));
    }
}
