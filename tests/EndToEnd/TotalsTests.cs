namespace NativeHeap.EndToEnd;

/// <summary>
/// What the trace counts is what the programs count themselves. What libc and the C++ runtime allocate for their own use
/// is learned from the same program doing nothing.
/// </summary>
public sealed class TotalsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("entry_points")]
    [InlineData("operators")]
    [InlineData("operators_static_runtime")]
    [InlineData("exchange", "50000")]
    [InlineData("crowd", "20", "1000")] // 20,000 threads
    [InlineData("thread_ends")]
    [InlineData("last_moments")]
    [InlineData("left_early")]
    [InlineData("loader")]
    public void Totals_are_what_the_program_counts(params string[] command)
    {
        var (own, trace, idle) = Record(command);
        Assert.Equal(own.Sums + idle.Report.Totals.Sums, trace.Report.Totals.Sums);
        Assert.True(trace.Report is { Exact: true, Complete: true, LostEvents: 0 });
    }

    [Theory]
    [InlineData("entry_points")]
    [InlineData("operators")]
    [InlineData("operators_static_runtime")]
    public void Every_allocation_function_is_counted_under_its_name(params string[] command)
    {
        var (own, trace, idle) = Record(command);
        foreach (var (entry, (blocks, bytes)) in own.Entries)
        {
            var (idleBlocks, idleBytes) = Sum(idle, entry);
            Assert.Equal((entry, blocks + idleBlocks, bytes + idleBytes), (entry, Sum(trace, entry).Blocks, Sum(trace, entry).Bytes));
        }
    }

    [Theory]
    [InlineData("entry_points")]
    [InlineData("operators")]
    public void The_peak_of_one_thread_is_exact(params string[] command)
    {
        var (own, trace, idle) = Record(command);
        // The runtime's own blocks are allocated before main and live on.
        Assert.Equal(own.PeakBytes + idle.Report.Totals.Sums.LiveBytes, trace.Report.Totals.PeakBytes);
    }

    [Fact]
    public void A_program_that_allocates_nothing_has_a_trace_of_nothing()
    {
        using var trace = Recording.Run(_folder, [Built.Target("entry_points"), "nothing"]);
        trace.Outcome.Expect(0);
        Assert.Equal(new Sums(0, 0, 0, 0, 0), trace.Report.Totals.Sums);
    }

    private (Account Own, Recording Trace, Recording Idle) Record(string[] command)
    {
        string[] target = [Built.Target(command[0]), .. command[1..]];
        var trace = Recording.Run(_folder, target);
        var own = Account.ParseTarget(trace.Outcome.Expect(0).Output);
        var idle = Recording.Run(_folder, [target[0], "nothing", .. command[1..]]);
        idle.Outcome.Expect(0);
        return (own, trace, idle);
    }

    private static (long Blocks, long Bytes) Sum(Recording trace, string entry)
    {
        var stacks = trace.ReportBy("count").Stacks.Where(stack => stack.Entry == entry).ToList();
        return (stacks.Sum(stack => stack.Blocks), stacks.Sum(stack => stack.Bytes));
    }
}
