namespace NativeHeap.EndToEnd.Attaching;

/// <summary><c>attach</c> and <c>detach</c>: what is counted, and what ends a recording.</summary>
public sealed class AttachTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("repeated", "yes")]
    public void Each_recording_counts_exactly_what_happens_from_its_attach_to_its_detach()
    {
        var done = _folder["done"];
        using var program = Program.Start([Built.Target("stepwise"), done], new Surroundings { KeepInput = true });
        program.Step('a', done);
        using (var first = Attachment.Cycle(_folder, program.Pid, () => program.Step('b', done)))
        {
            // Of the blocks from before 40 were freed, and 10 made way for larger ones.
            Assert.Equal(new Sums(60, 10, 45_000, 50, 40_000), first.Report().Totals.Sums);
            Assert.Equal(0, first.Report().LostEvents);
        }
        for (var i = 0; i < Cycles.Count; i++)
        {
            program.Step('a', done); // not recorded
            using var next = Attachment.Cycle(_folder, program.Pid, () => program.Step('a', done));
            Assert.Equal(new Sums(100, 0, 100_000, 100, 100_000), next.Report().Totals.Sums);
        }
        program.EndInput();
        Assert.Equal("", program.Wait().Expect(0).Errors);
    }

    [Fact]
    public void A_recording_that_ended_with_samples_is_followed_by_one_of_every_call()
    {
        var done = _folder["done"];
        using var program = Program.Start([Built.Target("stepwise"), done], new Surroundings { KeepInput = true });
        using (var first = Attachment.Cycle(_folder, program.Pid, () =>
        {
            program.Step('a', done);
            Ask("sample", "-p", $"{program.Pid}", "1TiB").Expect(0); // none of these
            program.Step('b', done);
        }))
        {
            Assert.Equal(new Sums(100, 50, 100_000, 50, 50_000), first.Report().Totals.Sums);
            Assert.False(first.Report().Exact);
        }
        using (var next = Attachment.Cycle(_folder, program.Pid, () => program.Step('a', done)))
        {
            Assert.Equal(new Sums(100, 0, 100_000, 100, 100_000), next.Report().Totals.Sums);
            Assert.True(next.Report().Exact);
        }
        using var last = Attachment.Cycle(_folder, program.Pid, () =>
        {
            program.Step('a', done);
            Ask("sample", "-p", $"{program.Pid}", "1TiB").Expect(0);
            program.Step('a', done);
        });
        Assert.Equal(new Sums(100, 0, 100_000, 100, 100_000), last.Report().Totals.Sums);
        program.EndInput();
        Assert.Equal("", program.Wait().Expect(0).Errors);
    }

    [Fact]
    public void A_program_that_allocates_all_the_time_is_recorded_to_its_end()
    {
        var target = new SteadyTarget(_folder);
        using var program = Program.Start(target.Command);
        target.WaitForOperations(1000, over: () => program.HasEnded);
        var before = target.Counted;
        using var attachment = Attachment.Start(_folder, program.Pid);
        var since = target.Counted;
        target.WaitForOperations(target.Operations + 200_000, over: () => program.HasEnded);
        Signals.Send(program.Pid, Signals.Kill);
        var said = attachment.Wait().Expect(0);

        program.Wait().Expect(128 + Signals.Kill);
        var report = attachment.Report();
        Assert.Equal(0, report.LostEvents);
        Assert.InRange(
            report.Totals.Sums.Allocations, target.Counted.Allocations - since.Allocations, target.Counted.Allocations - before.Allocations + 1);
        Assert.Contains("by ptrace", said.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("warning", said.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Signals.Interrupt)]
    [InlineData(Signals.Terminate)]
    public void A_signal_to_the_command_detaches_and_closes_the_trace(int signal)
    {
        var target = new SteadyTarget(_folder);
        using var program = Program.Start(target.Command);
        target.WaitForOperations(1000, over: () => program.HasEnded);
        using var attachment = Attachment.Start(_folder, program.Pid);
        attachment.Signal(signal);
        var said = attachment.Wait().Expect(0).Errors;
        Assert.Contains($"detached from process {program.Pid}", said, StringComparison.Ordinal);
        Assert.Contains($"wrote {attachment.TracePath}", said, StringComparison.Ordinal);
        Assert.True(attachment.Report().Totals.Sums.Allocations > 0);
        target.WaitForOperations(target.Operations + 100_000, over: () => program.HasEnded); // it does what it would have done
        Signals.Send(program.Pid, Signals.Kill);
        Assert.Equal("", program.Wait().Expect(128 + Signals.Kill).Errors);
    }

    [Fact]
    public void A_duration_ends_the_recording_and_samples_are_estimates()
    {
        var target = new SteadyTarget(_folder);
        using var program = Program.Start(target.Command);
        target.WaitForOperations(1000, over: () => program.HasEnded);
        using var attachment = Attachment.Begin(_folder, program.Pid, "--duration", "300ms", "--sample", "64KiB");
        Assert.Contains("ESTIMATES from samples", attachment.Wait().Expect(0).Errors, StringComparison.Ordinal);
        Assert.False(program.HasEnded);
        Signals.Send(program.Pid, Signals.Kill);
    }

    [Fact]
    public void While_it_is_recorded_the_other_verbs_find_it()
    {
        var target = new SteadyTarget(_folder);
        using var program = Program.Start(target.Command);
        target.WaitForOperations(1000, over: () => program.HasEnded);
        var pid = $"{program.Pid}";
        Assert.Contains("it can be attached to, by ptrace", Ask("doctor", "-p", pid).Expect(0).Output, StringComparison.Ordinal);
        using var attachment = Attachment.Start(_folder, program.Pid);
        Ask("snapshot", "-p", pid, "--name", "here").Expect(0);
        Assert.Contains("it is recorded", Ask("doctor", "-p", pid).Expect(0).Output, StringComparison.Ordinal);
        var again = Ask("attach", "-p", pid, "-o", _folder["again.nheap"]).Expect(3);
        Assert.Equal($"error: process {pid} is being recorded already, to {attachment.TracePath}", Assert.Single(again.Said));
        Assert.False(File.Exists(_folder["again.nheap"]));
        attachment.Detach();
        Ask("report", attachment.TracePath + "@here").Expect(0);
        Assert.Contains("not being recorded", Assert.Single(Ask("detach", "-p", pid).Expect(3).Said), StringComparison.Ordinal);
        Signals.Send(program.Pid, Signals.Kill);
    }

    private static Outcome Ask(params string[] words) => Program.Run(["dotnet", Built.Command, .. words]);
}

/// <summary>How often the tests of this folder attach and detach.</summary>
internal static class Cycles
{
    /// <summary>A few times; a hundred when tools/soak asks for 200 of what is repeated.</summary>
    public static int Count => Math.Max(3, Environment.GetEnvironmentVariable("NATIVEHEAP_TEST_TIMES") is null ? 3 : Seed.Times / 2);
}
