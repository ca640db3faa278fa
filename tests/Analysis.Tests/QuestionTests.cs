using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Analysis.Tests;

/// <summary>Moments and ranges, and questions that make no sense.</summary>
public sealed class QuestionTests : IDisposable
{
    private const long Ms = 1_000_000;

    private readonly TempFolder _folder = new();
    private readonly Profile _profile;

    public QuestionTests()
    {
        var trace = SampleTrace.Build()
            .Row("snapshot", ("id", 1), ("name", "before"), ("reason", "asked"), ("time_ns", 100))
            .Row("snapshot", ("id", 2), ("reason", "growth"), ("time_ns", 200))
            .Row("snapshot_total", ("snapshot_id", 1), ("process_id", 1), ("stack_id", 3), ("blocks", 1), ("bytes", 50))
            .Row("snapshot_total", ("snapshot_id", 1), ("process_id", 2), ("stack_id", 3), ("blocks", 1), ("bytes", 7))
            .Row("snapshot_total", ("snapshot_id", 2), ("process_id", 1), ("stack_id", 3), ("blocks", 4), ("bytes", 70));
        _profile = Profile.Open(trace.Write(_folder["a.nheap"]));
    }

    public void Dispose()
    {
        _profile.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(50 * Ms, 0)] // the first block is born in the bucket that begins here
    [InlineData(60 * Ms, 100)]
    [InlineData(110 * Ms, 5100)]
    [InlineData(500 * Ms, 5364)] // 5,000 bytes die in the bucket that begins here
    [InlineData(510 * Ms, 364)]
    [InlineData(600 * Ms, 364)] // the last moment of process 2
    [InlineData(610 * Ms, 300)] // its blocks are gone with it
    [InlineData(1000 * Ms, 300)]
    public void At_an_edge_lives_what_was_born_before_and_not_dead_before(long at, long bytes)
    {
        var answer = _profile.Ask(new StackQuestion { AtNs = at });

        Assert.Equal(bytes, answer.Bytes);
        Assert.Equal((at, 10 * Ms), (answer.AtNs, answer.BucketNs));
    }

    [Theory]
    [InlineData(54 * Ms, 50 * Ms)]
    [InlineData(56 * Ms, 60 * Ms)]
    [InlineData(999 * Ms, 1000 * Ms)]
    public void At_any_time_the_nearest_edge_answers_and_is_said(long at, long edge)
    {
        Assert.Equal(edge, _profile.Ask(new StackQuestion { AtNs = at }).AtNs);
    }

    [Fact]
    public void No_edge_after_the_end_answers()
    {
        var trace = new TraceBuilder().Meta("end_ns", 1006 * Ms);
        var process = trace.Process(1, ("end_ns", 1006 * Ms));
        trace.Blocks(process, trace.Stack(trace.Code(null, 1), trace.Entry(EntryPoint.Malloc)), 0, -1, 1, 10);
        using var profile = Profile.Open(trace.Write(_folder["b.nheap"]));
        var answer = profile.Ask(new StackQuestion { AtNs = 1006 * Ms });

        Assert.Equal((1000 * Ms, 10), (answer.AtNs, answer.Bytes)); // at 1,010 ms there would be no process
    }

    [Theory]
    [InlineData(StackMeasure.Live, 60, 400, 5264, 60, 400)] // both 200, 5,000 and 64 are born and alive
    [InlineData(StackMeasure.Live, 110, 400, 264, 110, 400)]
    [InlineData(StackMeasure.Live, 111, 399, 264, 110, 400)] // widened
    [InlineData(StackMeasure.Allocated, 100, 310, 5424, 100, 310)]
    [InlineData(StackMeasure.Count, 200, 210, 160, 200, 210)]
    [InlineData(StackMeasure.Leaked, 60, 310, 264, 60, 310)]
    public void A_range_counts_what_was_born_in_it(
        StackMeasure by, long from, long to, long bytes, long fromEdge, long toEdge)
    {
        var answer = _profile.Ask(new StackQuestion { By = by, FromNs = from * Ms, ToNs = to * Ms });

        Assert.Equal(bytes, answer.Bytes);
        Assert.Equal((fromEdge * Ms, toEdge * Ms), (answer.FromNs, answer.ToNs));
    }

    [Fact]
    public void A_range_without_an_end_goes_to_each_processs_last_moment()
    {
        Assert.Equal(364, _profile.Ask(new StackQuestion { FromNs = 0 }).Bytes);
        Assert.Equal(264, _profile.Ask(new StackQuestion { FromNs = 60 * Ms }).Bytes);
        Assert.Null(_profile.Ask(new StackQuestion { FromNs = 0 }).ToNs);
        Assert.Equal(364, _profile.Ask(new StackQuestion { FromNs = 0, ToNs = 3600_000 * Ms }).Bytes);
    }

    [Fact]
    public void A_range_without_a_start_begins_with_the_trace()
    {
        Assert.Equal(5100, _profile.Ask(new StackQuestion { ToNs = 200 * Ms }).Bytes);
    }

    [Theory]
    [InlineData("before", 57)]
    [InlineData("1", 57)]
    [InlineData("2", 70)]
    [InlineData("peak", 5300)]
    [InlineData("end", 364)]
    public void A_moment_is_found_by_name_number_or_word(string moment, long bytes)
    {
        Assert.Equal(bytes, _profile.Ask(new StackQuestion { Moment = moment }).Bytes);
    }

    [Fact]
    public void A_snapshot_can_be_asked_about_one_process()
    {
        Assert.Equal(7, _profile.Ask(new StackQuestion { Moment = "before", Pid = 4712 }).Bytes);
    }

    [Theory]
    [InlineData("after", "has no snapshot after; it has @before, @2")]
    [InlineData("3", "has no snapshot 3")]
    [InlineData("", "has no snapshot ")]
    public void A_snapshot_that_is_not_there_is_said_with_those_that_are(string moment, string because)
    {
        var error = Assert.Throws<ToolException>(() => _profile.Ask(new StackQuestion { Moment = moment }));
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Input, error.ExitCode);
    }

    public static TheoryData<StackQuestion, string> Senseless => new()
    {
        { new StackQuestion { FromNs = 5, ToNs = 4 }, "--from is after --to" },
        { new StackQuestion { FromNs = 1001 * Ms }, "--from is after the end" },
        { new StackQuestion { AtNs = 1001 * Ms }, "--at is after the end" },
        { new StackQuestion { AtNs = 1, FromNs = 1 }, "--at does not go with --from and --to" },
        { new StackQuestion { AtNs = 1, By = StackMeasure.Peak }, "--at goes with --by live, not peak" },
        { new StackQuestion { FromNs = 1, By = StackMeasure.Temporary }, "--from and --to do not go with --by temporary" },
        { new StackQuestion { Moment = "peak", By = StackMeasure.Live }, "@peak goes with --by peak, not live" },
        { new StackQuestion { Moment = "before", By = StackMeasure.Count }, "@before goes with --by live, not count" },
        { new StackQuestion { Moment = "before", AtNs = 5 }, "@before does not go with --at" },
        { new StackQuestion { Pid = 99 }, "has no process 99; it has 4711, 4712" },
        { new StackQuestion { Top = 0 }, "--top must be at least 1" },
    };

    [Theory]
    [MemberData(nameof(Senseless))]
    public void A_question_that_makes_no_sense_is_bad_usage(StackQuestion question, string because)
    {
        var error = Assert.Throws<ToolException>(() => _profile.Ask(question));
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Usage, error.ExitCode);
    }

    [Fact]
    public void Cohorts_of_unknown_width_cannot_answer()
    {
        using var profile = Profile.Open(SampleTrace.Build().Meta("bucket_ns", null).Write(_folder["b.nheap"]));
        Assert.Equal(364, profile.Ask(new StackQuestion()).Bytes);
        Assert.Throws<TraceException>(() => profile.Ask(new StackQuestion { AtNs = 1 }));
    }
}
