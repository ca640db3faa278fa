using System.Text.Json;

namespace NativeHeap.EndToEnd;

/// <summary>What breaks profilers, each by a program of its own (tests/targets), under the whole of ours.</summary>
public sealed class HazardsTests : IDisposable
{
    private const int Fault = 11;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_storm_of_signals_whose_handlers_allocate_and_fork_inside_our_own_functions_is_counted()
    {
        const int Children = 200;
        var (calls, run) = Storm("300000", Children);
        var (idleCalls, idle) = Storm("0", 0);
        using var trace = run;
        using var nothing = idle;
        Assert.Equal(0, trace.Report.LostEvents);
        Assert.True(Counted(trace, "id = 1", "missed_calls") > 0, "no signal came in one of our functions");
        Assert.Equal(calls - idleCalls, All(trace) - All(nothing)); // what came inside is counted as missed

        // A child ends the call that it was forked in, which may count for it.
        Assert.Equal(Children, trace.Report.Processes.Count - 1);
        Assert.True(Counted(trace, "id > 1 AND allocations > 10", "1") > 0, "no child was forked in one of our functions");
        Assert.Equal(0, Counted(trace, "id > 1 AND (allocations NOT BETWEEN 10 AND 12 OR foreign_frees > 0)", "1"));
        var born = trace.ReportBy("count").Stacks.Where(stack => stack.Goes("be_child")).ToList();
        Assert.Equal((10 * Children, 1000 * Children), (born.Sum(stack => stack.Blocks), born.Sum(stack => stack.Bytes)));
        Assert.Equal(5 * Children, trace.Report.Stacks.Where(stack => stack.Goes("be_child")).Sum(stack => stack.Blocks));
    }

    [Theory]
    [InlineData(128 + Fault)]
    [InlineData(7, "handled")]
    public void A_stack_that_overflows_is_the_programs_own_fault(int exitCode, params string[] arguments)
    {
        string[] command = [Built.Target("overflow"), .. arguments];
        var around = Surroundings.After("ulimit -s 1024; ulimit -c 0");
        var plain = Program.Run(command, around).Expect(exitCode);
        using var trace = Recording.Run(_folder, command, around);
        Assert.Equal(plain.Output, trace.Outcome.Expect(exitCode).Output);
        Assert.Equal("", trace.Outcome.OwnErrors);
        Assert.Equal(exitCode == 7 ? null : Fault, trace.Report.First.Signal);
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
        var kept = trace.Report.Stacks.Where(stack => stack.Bytes == 80 * stack.Blocks && stack.Goes("deeper")).Sum(stack => stack.Blocks);
        Assert.InRange(kept, 500, 2000); // a level takes some 600 bytes
    }

    [Theory]
    [InlineData]
    [InlineData("execute")]
    public void Processes_that_have_one_pid_after_each_other_are_counted_each(params string[] executes)
    {
        const int Pid = 23456, Children = 20;
        var around = new Surroundings { Wrapper = ["unshare", "--pid", "--fork", "--mount-proc"] };
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to choose pids");
        using var trace = Recording.Run(_folder, [Built.Target("same_pid"), $"{Pid}", .. executes], around);
        trace.Outcome.Expect(0);
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
        var same = trace.Report.Processes.Where(process => process.Pid == Pid && process.Totals.Sums.Allocations > 0).ToList();
        Assert.Equal(Enumerable.Range(1, Children), same.Select(process => (int)process.Totals.Sums.Allocations));
        Assert.All(same, process => Assert.Equal(process.Totals.Sums.Allocations * 100, process.Totals.Sums.LiveBytes));
    }

    private static long Counted(Recording trace, string which, string what) =>
        (long)trace.Query($"SELECT coalesce(sum({what}), 0) FROM process WHERE {which}")[0][0]!;

    private static long All(Recording trace) => Counted(trace, "id = 1", "allocations + frees + missed_calls");

    private (long Calls, Recording Trace) Storm(string calls, int children)
    {
        var trace = Recording.Run(_folder, [Built.Target("fork_storm"), calls, $"{children}"]);
        using var said = JsonDocument.Parse(trace.Outcome.Expect(0).Output);
        Assert.Equal(0, said.RootElement.GetProperty("wrong").GetInt64());
        return (said.RootElement.GetProperty("calls").GetInt64(), trace);
    }
}
