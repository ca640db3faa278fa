using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Analysis.Tests;

/// <summary>What each measure means, on the sample trace.</summary>
public sealed class MeasureTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Profile Open(TraceBuilder? trace = null) =>
        Profile.Open((trace ?? SampleTrace.Build()).Write(_folder["a.nheap"]));

    /// <summary>Each stack as its innermost function or offset, bytes and blocks.</summary>
    private static string[] Rows(StackAnswer answer) =>
        [.. answer.Stacks.Select(s => $"{s.Stack.Frames[0].Name?.Function ?? "?"} {s.Bytes} {s.Blocks}")];

    [Theory]
    [InlineData(StackMeasure.Live, "copy(char const*) 300 3", "? 64 1")]
    [InlineData(StackMeasure.Leaked, "copy(char const*) 300 3", "? 64 1")]
    [InlineData(StackMeasure.Peak, "load 5000 1", "copy(char const*) 300 3")]
    [InlineData(StackMeasure.Allocated, "load 5000 1", "copy(char const*) 300 3", "main 160 10", "? 64 1")]
    [InlineData(StackMeasure.Count, "main 160 10", "copy(char const*) 300 3", "load 5000 1", "? 64 1")]
    [InlineData(StackMeasure.Temporary, "main 160 10")]
    public void Stacks_come_largest_first_with_what_the_measure_counts(StackMeasure by, params string[] rows)
    {
        using var profile = Open();
        var answer = profile.Ask(new StackQuestion { By = by });

        Assert.Equal(rows, Rows(answer));
        Assert.Equal(answer.Bytes, answer.Stacks.Sum(s => s.Bytes));
        Assert.Equal(answer.Blocks, answer.Stacks.Sum(s => s.Blocks));
    }

    [Fact]
    public void Live_stacks_add_up_to_the_live_totals()
    {
        using var profile = Open();
        var answer = profile.Ask(new StackQuestion());

        Assert.Equal(StackMeasure.Live, answer.By);
        Assert.Equal((profile.Totals().LiveBytes, profile.Totals().LiveBlocks), (answer.Bytes, answer.Blocks));
    }

    [Fact]
    public void A_limit_leaves_the_sums_over_all_stacks()
    {
        using var profile = Open();
        var answer = profile.Ask(new StackQuestion { Top = 1 });

        Assert.Equal(["copy(char const*) 300 3"], Rows(answer));
        Assert.Equal((2, 364L, 4L), (answer.StackCount, answer.Bytes, answer.Blocks));
    }

    [Fact]
    public void A_pid_leaves_its_own_stacks_and_totals_only()
    {
        using var profile = Open();

        Assert.Equal(["? 64 1"], Rows(profile.Ask(new StackQuestion { Pid = 4712 })));
        Assert.Equal(64, profile.Totals(4712).AllocatedBytes);
        Assert.Equal(400_000_000, profile.Totals(4712).DurationNs);
    }

    [Fact]
    public void The_peak_of_a_pid_is_its_own_and_not_the_traces()
    {
        var trace = SampleTrace.Build().ProcessPeak(2, stack: 1, blocks: 1, bytes: 32);
        using var profile = Open(trace);

        Assert.Equal(32, profile.Ask(new StackQuestion { By = StackMeasure.Peak, Pid = 4712 }).Bytes);
        Assert.Equal(5300, profile.Ask(new StackQuestion { By = StackMeasure.Peak }).Bytes);
    }

    [Fact]
    public void The_peak_of_a_pid_with_several_images_is_that_of_the_highest_image()
    {
        var trace = new TraceBuilder();
        var stack = trace.Stack(trace.Code(null, 1), trace.Entry(EntryPoint.Malloc));
        foreach (var peak in new[] { 10, 70, 20 })
        {
            trace.ProcessPeak(trace.Process(5, ("peak_bytes", peak)), stack, 1, peak);
        }

        using var profile = Open(trace);
        Assert.Equal(70, profile.Ask(new StackQuestion { By = StackMeasure.Peak, Pid = 5 }).Bytes);
    }

    [Fact]
    public void What_lives_in_a_process_that_has_not_ended_is_not_leaked()
    {
        var trace = new TraceBuilder().Meta("end_ns", null);
        var process = trace.Process(1, ("end_ns", null), ("ending", null));
        trace.Blocks(process, trace.Stack(trace.Code(null, 1), trace.Entry(EntryPoint.Malloc)), 0, -1, 1, 10);
        using var profile = Open(trace);

        Assert.Equal(10, profile.Ask(new StackQuestion { By = StackMeasure.Live }).Bytes);
        Assert.Empty(profile.Ask(new StackQuestion { By = StackMeasure.Leaked }).Stacks);
    }

    [Fact]
    public void A_block_of_no_bytes_is_a_block()
    {
        var trace = new TraceBuilder();
        var process = trace.Process(1);
        trace.Blocks(process, trace.Stack(trace.Code(null, 1), trace.Entry(EntryPoint.Malloc)), 0, -1, 2, 0);
        using var profile = Open(trace);

        Assert.Equal(["? 0 2"], Rows(profile.Ask(new StackQuestion())));
    }

    [Fact]
    public void A_stack_names_its_entry_and_runs_from_the_caller_outwards()
    {
        using var profile = Open();
        var stack = profile.Ask(new StackQuestion { By = StackMeasure.Peak }).Stacks[1].Stack;

        Assert.Equal(EntryPoint.Malloc, stack.Entry);
        Assert.Equal(["copy(char const*)", "parse(std::string)", "main"], stack.Frames.Select(f => f.Name?.Function));
        Assert.Equal([true, false, false], stack.Frames.Select(f => f.Name!.Inlined));
        Assert.Equal(EntryPoint.Calloc, profile.Ask(new StackQuestion { By = StackMeasure.Peak }).Stacks[0].Stack.Entry);
    }

    [Fact]
    public void Figures_that_no_number_holds_are_a_damaged_trace()
    {
        var trace = new TraceBuilder();
        for (var i = 1; i <= 5; i++)
        {
            trace.Process(i, ("allocated_bytes", long.MaxValue / 4));
        }

        using var profile = Open(trace);
        var error = Assert.Throws<Trace.TraceException>(() => profile.Totals());
        Assert.Contains("add up to more than can be", error.Message, StringComparison.Ordinal);
    }
}
