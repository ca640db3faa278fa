using System.Globalization;

namespace NativeHeap.EndToEnd;

/// <summary>Collectors that stand still, and targets that scribble on what they share with one.</summary>
public sealed class StuckCollectorTests : IDisposable
{
    private const int Scribblers = 8;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_stopped_collector_holds_a_program_for_a_while_and_then_no_more()
    {
        const long Operations = 3_000_000;
        using var collector = Listening.Start(_folder);
        var steady = new SteadyTarget(_folder, Operations);
        using var program = Program.Start(steady.Command, collector.Around);
        steady.WaitForOperations(1000, over: () => program.HasEnded);
        Signals.Send(collector.Pid, Signals.Stop);
        Assert.Equal("", program.Wait().Expect(5).Errors);
        Assert.True(steady.Operations == Operations);

        Signals.Send(collector.Pid, Signals.Continue);
        var report = collector.ReportOf(program.Pid);
        Assert.False(report.Complete);
        Assert.InRange(report.Totals.Sums.Allocations, 1, steady.Counted.Allocations - 1);
        collector.End().Expect(0);
    }

    [Fact]
    public void A_program_that_starts_while_the_collector_is_stopped_runs_unprofiled_and_the_next_is_recorded()
    {
        using var collector = Listening.Start(_folder);
        Signals.Send(collector.Pid, Signals.Stop);
        using var program = Program.Start([Built.Target("exchange"), "1000"], collector.Around);
        Assert.Equal("", program.Wait().Expect(0).Errors); // the collector stands still all the time

        Signals.Send(collector.Pid, Signals.Continue);
        using var next = Program.Start([Built.Target("exchange"), "1000"], collector.Around);
        next.Wait().Expect(0);
        Assert.True(collector.ReportOf(next.Pid).Complete);
        Assert.DoesNotContain("fault", collector.End().Expect(0).Errors, StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(collector.Traces, $"*.{program.Pid}.nheap"), trace => Assert.False(Listening.Read(trace).Complete));
    }

    [Fact]
    public void Whatever_a_target_writes_into_its_region_the_collector_serves_the_others()
    {
        using var collector = Listening.Start(_folder);
        var random = Seed.Next();
        var scribblers = Enumerable.Range(0, Scribblers).Select(_ => Program.Start(
            [Built.Target("scribble"), random.Next().ToString(CultureInfo.InvariantCulture), "2000"], collector.Around)).ToList();
        using var idle = Program.Start([Built.Target("exchange"), "nothing"], collector.Around);
        using var counting = Program.Start([Built.Target("exchange"), "20000"], collector.Around);
        var own = Account.ParseTarget(counting.Wait().Expect(0).Output);
        idle.Wait().Expect(0);
        var trace = collector.ReportOf(counting.Pid);
        Assert.True(trace is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + collector.ReportOf(idle.Pid).Totals.Sums, trace.Totals.Sums);
        foreach (var scribbler in scribblers)
        {
            scribbler.Wait(); // by whatever it brought upon itself
            scribbler.Dispose();
        }
        Assert.DoesNotContain("fault", collector.End().Expect(0).Errors, StringComparison.Ordinal);
    }
}
