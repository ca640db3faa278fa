namespace NativeHeap.EndToEnd;

/// <summary><c>pause</c> and <c>resume</c>.</summary>
public sealed class PauseTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_allocated_in_a_pause_is_not_counted_and_what_was_before_is_followed_to_its_end()
    {
        using var collector = Listening.Start(_folder);
        var done = _folder["done"];
        using var program = Program.Start([Built.Target("stepwise"), done], collector.Around with { KeepInput = true });
        program.Step('a', done);
        Assert.Contains("paused", Ask("pause", program.Pid).Expect(0).Errors, StringComparison.Ordinal);
        Assert.Contains("already", Ask("pause", program.Pid).Expect(0).Errors, StringComparison.Ordinal);
        program.Step('b', done);
        Ask("resume", program.Pid).Expect(0);
        program.Step('c', done);
        program.EndInput();
        program.Wait().Expect(0);

        var trace = collector.TraceOf(program.Pid);
        var report = Listening.Read(trace);
        Assert.False(report.Complete);
        // Of step a 40 were freed and 10 made way for blocks of the pause; of step b nothing counts; all of c does.
        Assert.Equal(new Sums(130, 50, 103_000, 80, 53_000), report.Totals.Sums);
        string[] query = ["dotnet", Built.Command, "sql", trace, "--csv", "SELECT foreign_frees, note FROM process"];
        Assert.Matches(
            @"\n30,recording was paused from \d+\.\d+ s; and taken up again at \d+\.\d+ s", Program.Run(query).Expect(0).Output);
        collector.End().Expect(0);
        Assert.Contains("not being recorded", Assert.Single(Ask("pause", Environment.ProcessId).Expect(3).Said), StringComparison.Ordinal);
    }

    private static Outcome Ask(string verb, int pid) => Program.Run(["dotnet", Built.Command, verb, "-p", $"{pid}"]);
}
