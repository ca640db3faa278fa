namespace NativeHeap.EndToEnd;

/// <summary>The collector or the target killed at any moment of the target's life.</summary>
[Trait("repeated", "yes")]
public sealed class DeathTests : IDisposable
{
    private const long Operations = 2_000_000;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_target_killed_at_any_moment_leaves_a_complete_trace()
    {
        var random = Seed.Next();
        for (var i = 0; i < Seed.Times; i++)
        {
            var moment = random.NextInt64(Operations);
            var target = new SteadyTarget(_folder);
            using var recording = Recording.Start(_folder, target.Command);
            target.WaitForOperations(moment, over: () => recording.HasEnded);
            Signals.Send(target.Pid, Signals.Kill);

            recording.Outcome.Expect(128 + Signals.Kill);
            Assert.Equal("", recording.Outcome.Output);
            var counted = target.Counted;
            var report = recording.Report;
            Assert.Equal(Signals.Kill, report.First.Signal);
            Assert.Null(report.First.ExitCode);
            Assert.True(report.Complete, $"not complete when killed after {moment} operations");
            // One call may be done, or at work, and not be counted.
            Assert.InRange(report.Totals.Sums.Allocations, counted.Allocations, counted.Allocations + 1);
            Assert.InRange(report.Totals.Sums.Frees, counted.Frees, counted.Frees + 1);
            Assert.InRange(report.Totals.Sums.AllocatedBytes, counted.AllocatedBytes, counted.AllocatedBytes + 3000);
        }
    }

    [Fact]
    public void A_target_whose_collector_is_killed_at_any_moment_does_its_work_and_ends_as_it_would()
    {
        var random = Seed.Next();
        var plain = Program.Run(new SteadyTarget(_folder, Operations).Command).Expect(5);
        for (var i = 0; i < Seed.Times; i++)
        {
            var moment = random.NextInt64(Operations);
            var target = new SteadyTarget(_folder, Operations);
            using var recording = Recording.Start(_folder, target.Command);
            target.WaitForOperations(moment, over: () => recording.HasEnded);
            KillCollector(recording);

            recording.Outcome.Expect(5);
            Assert.Equal(plain.Output, recording.Outcome.Output);
            Assert.Equal("", recording.Outcome.OwnErrors);
            Assert.Contains(recording.Outcome.Said, line => line.Contains("collector", StringComparison.Ordinal));
            Assert.True(target.Operations == Operations);
            if (recording.Query("SELECT count(*) FROM process")[0][0] is 0L)
            {
                continue; // killed before its first commit, at most 250 ms after the start
            }
            var report = recording.Report;
            Assert.False(report.Complete);
            Assert.InRange(report.Totals.Sums.Allocations, 0, target.Counted.Allocations);
        }
    }

    [Fact]
    public void What_was_committed_before_the_collector_was_killed_can_be_read()
    {
        var target = new SteadyTarget(_folder);
        using var recording = Recording.Start(_folder, target.Command);
        target.WaitForOperations(1, over: () => recording.HasEnded);
        var before = 0L;
        while (before == 0) // until the first commit
        {
            before = recording.CommittedAllocations();
        }
        KillCollector(recording);
        Signals.Send(target.Pid, Signals.Kill);
        recording.Outcome.Expect(128 + Signals.Kill);
        Assert.InRange(recording.Report.Totals.Sums.Allocations, before, target.Counted.Allocations + 1);
    }

    private static void KillCollector(Recording recording)
    {
        foreach (var (pid, name) in Signals.ChildrenOf(recording.Pid))
        {
            if (name != "steady")
            {
                Signals.Send(pid, Signals.Kill);
            }
        }
    }
}
