namespace NativeHeap.EndToEnd.Checks;

/// <summary>Every way in which a process may end is checked, with ptrace and without (tests/targets/lose.c).</summary>
public sealed class ProcessEndTests : IDisposable
{
    private static readonly string[] Lose = [Built.Target("lose")];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("return")]
    [InlineData("exit")]
    [InlineData("_exit")]
    [InlineData("_Exit")]
    [InlineData("quick_exit")]
    [InlineData("abort")]
    [InlineData("signal")]
    [InlineData("kill")]
    [InlineData("fault")]
    [InlineData("exit_group")]
    [InlineData("exec_fails")]
    [InlineData("return", "threads")]
    [InlineData("exit_group", "threads")]
    [InlineData("kill", "threads")]
    public void What_was_lost_is_found_however_the_process_ends(params string[] how)
    {
        var run = CheckRun.Run(_folder, [.. Lose, .. how]);

        run.Outcome.Expect(23);
        AssertLost(run.Check);
        Assert.True(run.Check.IsComplete);
        Assert.Equal(how.Length > 1 ? (77, 1) : default, run.Check.Of("sleep_on").GetValueOrDefault("reachable"));
        Assert.StartsWith(
            "leaked 150 bytes in 2 blocks (definite 100, indirect 50, possible 0), reachable ", run.Outcome.Said[^1],
            StringComparison.Ordinal);
    }

    // Unwinding the stack makes the C library load another one, which keeps memory by pointers into it.
    [Fact]
    public void The_last_thread_is_the_end_when_main_has_left()
    {
        var run = CheckRun.Run(_folder, [.. Lose, "pthread_exit"]);
        AssertLost(run.Check);
    }

    [Fact]
    public void Threads_that_have_ended_leave_no_leaks_of_the_C_library()
    {
        var run = CheckRun.Run(_folder, [Built.Target("exchange"), "1000"]);

        Assert.Equal(["reachable"], run.Check.Of("allocate_dtv").Keys);
    }

    [Theory]
    [InlineData("return")]
    [InlineData("exit", "threads")]
    [InlineData("_exit")]
    [InlineData("_Exit")]
    [InlineData("quick_exit")]
    [InlineData("exec_fails")]
    public void Without_ptrace_threads_park_and_the_same_is_found(params string[] how)
    {
        var run = CheckRun.Run(_folder, [.. Lose, .. how], Refused());

        run.Outcome.Expect(23);
        AssertLost(run.Check);
        Assert.True(run.Check.IsComplete);
        Assert.Equal(how.Length > 1 ? (77, 1) : default, run.Check.Of("sleep_on").GetValueOrDefault("reachable"));
    }

    [Theory]
    [InlineData("exit_group")]
    [InlineData("signal")]
    [InlineData("abort")]
    public void An_end_that_cannot_be_held_without_ptrace_is_said_to_be_unknown(string how)
    {
        var run = CheckRun.Run(_folder, [.. Lose, how], Refused());

        run.Outcome.Expect(5);
        Assert.False(run.Check.IsComplete);
        Assert.Contains("not freed, reachability unknown", run.Check.Notes, StringComparison.Ordinal);
        Assert.Equal((160, 3), run.Check.Sum("possible"));
    }

    [Fact]
    public void The_blocks_of_a_program_that_executes_another_are_its_own_check()
    {
        var run = CheckRun.Run(_folder, [.. Lose, "execl"]);

        run.Outcome.Expect(23);
        Assert.Equal(default, run.Check.Of("lose").GetValueOrDefault("definite"));
        AssertLost(Assert.Single(run.Check.Children));
    }

    [Fact]
    public void A_forked_child_is_checked_for_what_it_allocated_itself()
    {
        var run = CheckRun.Run(_folder, [.. Lose, "fork"]);

        AssertLost(run.Check);
        AssertLost(Assert.Single(run.Check.Children));
    }

    [Theory]
    [InlineData("normal", 10, 1)]
    [InlineData("strict", 0, 0)]
    public void Exit_handlers_run_after_the_check_or_before_it(string level, long bytes, long blocks)
    {
        var run = CheckRun.Run(_folder, [.. Lose, "return"], null, "--level", level);

        AssertLost(run.Check);
        Assert.Equal((level, (bytes, blocks)), (run.Check.Level, run.Check.Sum("reachable")));
    }

    [Fact]
    public void Draconian_is_everything_that_was_not_freed()
    {
        var run = CheckRun.Run(_folder, [.. Lose, "_exit"], null, "--level", "draconian");
        Assert.Equal((160, 3), run.Check.Sum("definite"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("refuse_ptrace")] // through /proc/PID/mem
    public void A_user_without_privileges_checks_its_own_programs(string filter)
    {
        var run = CheckRun.Run(_folder, [.. Lose, "return", "threads"], Unprivileged(filter));

        run.Outcome.Expect(23);
        AssertLost(run.Check);
        Assert.Equal((77, 1), run.Check.Of("sleep_on")["reachable"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("refuse_ptrace")] // which also refuses process_vm_readv: through a pipe
    public void A_copy_is_looked_at_of_a_process_that_its_user_may_not_read(string filter)
    {
        var run = CheckRun.Run(_folder, [.. Lose, "undumpable", "threads"], Unprivileged(filter));

        run.Outcome.Expect(23);
        Assert.True(run.Check.IsComplete, run.Check.Notes);
        AssertLost(run.Check);
        Assert.Equal((77, 1), run.Check.Of("sleep_on")["reachable"]);
        Assert.Equal((10, 1), run.Check.Of("main", 10)["reachable"]); // before exit handlers
    }

    [Theory]
    [InlineData("", "its memory may not be read", 160, 3)]
    [InlineData("refuse_ptrace", "it could not be traced (Operation not permitted)", 150, 2)] // after its exit handlers
    public void Of_a_process_that_may_not_be_read_and_has_a_filter_of_its_own_it_is_said_what_was_not_freed(
        string filter, string why, long bytes, long blocks)
    {
        string[] lose = [Built.Target("refuse_ptrace"), .. Lose, "undumpable"]; // it might not survive being copied
        var run = CheckRun.Run(_folder, lose, Unprivileged(filter));

        run.Outcome.Expect(5);
        Assert.Equal("not freed, reachability unknown: " + why, run.Check.Notes);
        Assert.Equal((bytes, blocks), run.Check.Sum("possible"));
    }

    private Surroundings Unprivileged(string filter)
    {
        Tool.Need("setpriv");
        var around = filter.Length > 0 ? Built.Target(filter) : "";
        return Surroundings.After(
            $"chmod 777 {_folder.Path}; set -- setpriv --reuid=65534 --regid=65534 --clear-groups {around} \"$@\"");
    }

    [Theory]
    [InlineData(3, "--error-exitcode", "0")]
    [InlineData(99, "--error-exitcode", "99")]
    [InlineData(3, "--errors-for-kinds", "possible")]
    [InlineData(23, "--errors-for-kinds", "reachable")]
    public void The_exit_code_says_whether_there_were_leaks_of_the_chosen_kinds(int code, params string[] options) =>
        CheckRun.Run(_folder, [.. Lose, "return"], null, options).Outcome.Expect(code);

    private static void AssertLost(Check check)
    {
        var lost = check.Of("lose");
        Assert.Equal((100, 1), lost.GetValueOrDefault("definite"));
        Assert.Equal((50, 1), lost.GetValueOrDefault("indirect"));
    }

    private static Surroundings Refused() => new() { Wrapper = [Built.Target("refuse_ptrace")] };
}
