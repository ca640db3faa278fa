namespace NativeHeap.EndToEnd;

/// <summary>Programs that make a profiler's life hard: each still does what it did, and is still counted.</summary>
public sealed class HostileTargetTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("close_descriptors")]
    [InlineData("seccomp_kill")]
    public void A_program_that_closes_all_doors_after_it_is_still_counted_with_its_child(string name)
    {
        using var trace = Recording.Run(_folder, [Built.Target(name)]);
        var own = Account.ParseTarget(trace.Outcome.Expect(0).Output);
        using var idle = Recording.Run(_folder, [Built.Target(name), "nothing"]);
        idle.Outcome.Expect(0);

        Assert.True(trace.Report.Complete);
        Assert.Equal(own.Sums + idle.Report.First.Totals.Sums, trace.Report.First.Totals.Sums);
        var child = Assert.Single(trace.Report.Processes.Skip(1));
        Assert.Equal(name == "seccomp_kill" ? 100_000 : 1000, child.Totals.Sums.Allocations);
    }

    [Fact]
    public void A_thousand_forks_while_four_threads_allocate_are_counted_each()
    {
        const int Children = 1000;
        using var trace = Recording.Run(_folder, [Built.Target("forks"), $"{Children}"]);
        var own = Account.ParseTarget(trace.Outcome.Expect(0).Output);
        using var idle = Recording.Run(_folder, [Built.Target("forks"), "nothing"]);
        idle.Outcome.Expect(0);

        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + idle.Report.Totals.Sums, trace.Report.First.Totals.Sums);
        Assert.Equal(Children, trace.Report.Processes.Count - 1);
        Assert.All(trace.Report.Processes.Skip(1), child =>
        {
            Assert.Equal(trace.Report.First.Pid, child.ParentPid);
            Assert.Equal(new Sums(10, 5, 1000, 5, 500), child.Totals.Sums);
        });
        var inherited = trace.Query("SELECT DISTINCT origin, inherited_frees, foreign_frees FROM process WHERE id > 1");
        Assert.Equal(["fork", 1L, 0L], Assert.Single(inherited));
    }

    [Theory]
    [InlineData("ulimit -v 4000000")] // KiB
    [InlineData("ulimit -v 200000")]
    [InlineData("ulimit -v 150000")]
    [InlineData("ulimit -n 16")]
    [InlineData("ulimit -n 4")]
    [InlineData("ulimit -f 1")]
    [InlineData("ulimit -s 256")]
    [InlineData("ulimit -u 1")]
    [InlineData("ulimit -c 0; ulimit -l 0; ulimit -d 200000")]
    public void Under_a_limit_of_its_own_the_program_does_the_same(string limit)
    {
        string[] command = ["sh", "-c", $"{limit}; exec \"$@\"", "sh", Built.Target("exchange"), "20000"];
        var plain = Program.Run(command);
        using var trace = Recording.Run(_folder, command);
        AssertSameEnd(plain, trace.Outcome);
        Assert.True(LooksLikeAccount(plain.Output), plain.Output + plain.Errors);
    }

    [Theory]
    [InlineData("ulimit -v 4000000")]
    [InlineData("ulimit -n 128")]
    [InlineData("ulimit -s 256")]
    [InlineData("ulimit -Sf 1; ulimit -Sn 20; ulimit -Sd 100000; ulimit -Sv 200000; ulimit -St 1000")]
    public void Under_a_limit_of_the_shell_the_program_does_the_same(string limit)
    {
        var around = Surroundings.After(limit);
        string[] command = [Built.Target("exchange"), "20000"];
        var plain = Program.Run(command, around);
        using var trace = Recording.Run(_folder, command, around);
        AssertSameEnd(plain, trace.Outcome);
        Assert.True(LooksLikeAccount(plain.Output), plain.Output + plain.Errors);
        Assert.True(trace.Report.Complete);
    }

    [Theory]
    [InlineData("ulimit -v 150000")]
    [InlineData("ulimit -n 64")]
    [InlineData("ulimit -n 12")]
    [InlineData("ulimit -n 4")]
    [InlineData("ulimit -f 1")]
    public void Under_a_limit_that_leaves_the_collector_no_room_nothing_is_started(string limit)
    {
        string[] command = ["touch", _folder["started"]];
        using var trace = Recording.Run(_folder, command, Surroundings.After(limit));
        if (trace.Outcome.ExitCode == 0)
        {
            // Who may raise the limit has room.
            Assert.True(File.Exists(_folder["started"]) && trace.Report.Complete);
            return;
        }
        Assert.InRange(trace.Outcome.ExitCode, 1, 3);
        Assert.Contains(trace.Outcome.Said, line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.False(File.Exists(_folder["started"]));
    }

    [Fact]
    public void Under_a_limit_of_processes_the_program_does_the_same()
    {
        // The limit counts processes of a user and does not bind root: another user runs both.
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to become another user");
        var around = Surroundings.After("ulimit -u 40; set -- setpriv --reuid=12345 --regid=12345 --clear-groups \"$@\"");
        var plain = Program.Run([Built.Target("exchange"), "20000"], around);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1FF);
        var home = new Dictionary<string, string?> { ["HOME"] = _folder.Path, ["DOTNET_CLI_HOME"] = _folder.Path };
        using var trace = Recording.Run(_folder, [Built.Target("exchange"), "20000"], around with { Environment = home });
        AssertSameEnd(plain, trace.Outcome);
        Assert.True(LooksLikeAccount(plain.Output), plain.Output + plain.Errors);
    }

    private static void AssertSameEnd(Outcome plain, Outcome profiled)
    {
        Assert.Equal(plain.ExitCode, profiled.ExitCode);
        Assert.Equal(plain.Output.Length > 0, profiled.Output.Length > 0);
        // Counts differ from run to run, since four threads race; the program's own checks of its blocks may not.
        Assert.Equal(LooksLikeAccount(plain.Output), LooksLikeAccount(profiled.Output));
        Assert.Equal(plain.OwnErrors, profiled.OwnErrors);
    }

    private static bool LooksLikeAccount(string output) =>
        output.StartsWith("{\"allocations\":", StringComparison.Ordinal) && output.Contains("\"wrong\":0,", StringComparison.Ordinal);
}
