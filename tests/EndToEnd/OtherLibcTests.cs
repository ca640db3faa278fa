namespace NativeHeap.EndToEnd;

/// <summary>A program of musl (tests/targets/other_libc.c) under the shim that serves glibc's.</summary>
public sealed class OtherLibcTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Totals_are_what_the_program_counts_by_the_function_that_was_called()
    {
        using var trace = Recording.Run(_folder, [Built.Target("other_libc")]);
        var own = Account.ParseTarget(trace.Outcome.Expect(0).Output);
        Assert.Equal(own.Sums, trace.Report.Totals.Sums);
        Assert.True(trace.Report is { Exact: true, Complete: true, LostEvents: 0 });
        var stacks = trace.ReportBy("count").Stacks;
        foreach (var (entry, sum) in own.Entries)
        {
            var found = stacks.Where(stack => stack.Entry == entry).ToList();
            Assert.Equal((entry, sum), (entry, (found.Sum(stack => stack.Blocks), found.Sum(stack => stack.Bytes))));
        }
    }

    [Fact]
    public void Stacks_reach_the_start_of_the_program_and_of_its_threads()
    {
        using var trace = Recording.Run(_folder, [Built.Target("other_libc")]);
        trace.Outcome.Expect(0);
        Assert.Empty(trace.Query("SELECT id FROM location WHERE kind = 'marker' AND offset BETWEEN 64 AND 67"));
        var lost = Assert.Single(trace.Report.Stacks, stack => stack.Bytes == stack.Blocks * 1001);
        Assert.Equal(10, lost.Blocks);
        Assert.Equal(["lose", "work"], lost.Frames.Select(frame => frame.Function).Take(2));
    }

    [Fact]
    public void What_it_loses_is_found()
    {
        var run = CheckRun.Run(_folder, [Built.Target("other_libc")]);
        run.Outcome.Expect(23);
        Assert.Equal((10 * 1001L, 10L), run.Check.Of("lose")["definite"]);
    }

    [Fact]
    public void Programs_of_both_libraries_may_start_each_other()
    {
        string[] command = ["sh", "-c", $"{Built.Target("other_libc")} starts {Built.Target("entry_points")}; exit $?"];
        var plain = Program.Run(command).Expect(0);
        using var trace = Recording.Run(_folder, command);
        trace.Outcome.Expect(0);
        Assert.Equal(plain.OwnErrors, trace.Outcome.OwnErrors);
        var commands = trace.Report.Processes.Select(process => Path.GetFileName(process.Command!.Split(' ')[0])).ToList();
        Assert.Contains("other_libc", commands);
        Assert.Contains("entry_points", commands);
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
    }
}
