namespace NativeHeap.EndToEnd.Checks;

/// <summary>Programs that ask for checks themselves: LeakSanitizer's interface and ours (tests/targets/ask.c).</summary>
public sealed class ProgramInterfaceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Without_the_profiler_every_call_does_nothing_and_says_so()
    {
        var outcome = Harness.Program.Run([Built.Target("ask"), "end"]);

        outcome.Expect(4);
        Assert.Equal(
            "active 0\nnothing -1 0 0\nlost -1 0 0\nagain -1 0 0\nregister -1 0 0\nstop -1 start -1\nmark -1 -1\nend\n", outcome.Output);
    }

    [Fact]
    public void A_program_under_run_is_told_what_it_lost_and_what_it_ignores_is_no_leak()
    {
        var trace = _folder["a.nheap"];
        var outcome = Harness.Program.Run(
            [Built.Supervisor, "dotnet", Built.Command, "run", "-o", trace, "--", Built.Target("ask")]);

        outcome.Expect(4);
        Assert.Equal(
            "active 1\nnothing 0 0 0\nlost 1 100 1\nagain 0 0 0\nregister 0 0 0\nignored 0 0 0\nunregistered 1 3000 1\n"
            + "stop 0 start 0\nmark 0 -1\nrecoverable 1\nend\n",
            outcome.Output);
        Assert.Contains("leaked 100 bytes in 1 blocks (definite 100, indirect 0, possible 0)", outcome.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(outcome.Said, line => line.Contains("lost:", StringComparison.Ordinal));

        // Of two blocks that lived when it marked the moment, one was allocated while nothing was recorded.
        var live = Harness.Program.Run(
            ["dotnet", Built.Command, "sql", trace, "SELECT bytes FROM block WHERE bytes IN (5000, 7000)", "--csv"]);
        Assert.Equal("bytes\r\n7000\r\n", live.Expect(0).Output);
    }

    [Fact]
    public void A_program_that_wants_to_end_because_of_leaks_does_so_at_once()
    {
        var run = CheckRun.Run(_folder, [Built.Target("ask"), "end"], null, "--error-exitcode", "41");

        run.Outcome.Expect(41);
        Assert.EndsWith("recoverable 1\n", run.Outcome.Output, StringComparison.Ordinal);
    }
}
