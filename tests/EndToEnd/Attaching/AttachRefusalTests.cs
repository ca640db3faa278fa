using System.Globalization;

namespace NativeHeap.EndToEnd.Attaching;

/// <summary>What cannot be attached to is refused in one line, and goes on as it was.</summary>
public sealed class AttachRefusalTests : IDisposable
{
    private const uint Nobody = 65534;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("attach")]
    [InlineData("detach")]
    public void A_pid_that_is_none_is_refused(string verb)
    {
        var gone = Program.Start(["/bin/true"]);
        gone.Wait().Expect(0);
        Assert.Contains($"there is no process {gone.Pid}", Refused(3, verb, "-p", Text(gone.Pid)), StringComparison.Ordinal);
        Refused(2, verb, "-p", "0");
        Refused(2, verb);
    }

    [Fact]
    public void A_static_program_and_a_stopped_one_are_refused()
    {
        using var program = Program.Start([Built.Target("linked_statically"), "wait"], new Surroundings { KeepInput = true });
        using var waiting = Program.Start(["/bin/cat"], new Surroundings { KeepInput = true });
        Assert.Contains("is statically linked", Refused(3, "attach", "-p", Text(program.Pid)), StringComparison.Ordinal);
        Assert.Contains($"is stopped; let it go on first: kill -CONT {waiting.Pid}", Stopped(waiting.Pid), StringComparison.Ordinal);
        program.EndInput();
        program.Wait().Expect(0);
        waiting.EndInput();
        waiting.Wait().Expect(0);
    }

    [Fact]
    public void An_existing_trace_and_a_duration_of_nothing_are_refused_before_anything_is_done()
    {
        using var program = Program.Start(["/bin/cat"], new Surroundings { KeepInput = true });
        var trace = _folder.Write("there.nheap", "mine");
        var pid = Text(program.Pid);
        Assert.Contains("--force", Refused(2, "attach", "-p", pid, "-o", trace), StringComparison.Ordinal);
        Assert.Contains("--duration must be more than 0", Refused(2, "attach", "-p", pid, "--duration", "0"), StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(trace));
        Assert.DoesNotContain("libnativeheap", File.ReadAllText($"/proc/{pid}/maps"), StringComparison.Ordinal);
        program.EndInput();
        program.Wait().Expect(0);
    }

    [Fact]
    public void A_process_of_another_user_is_refused()
    {
        Assert.SkipUnless(Environment.UserName == "root", "it takes root to start one");
        using var program = Program.Start(
            ["/bin/cat"], new Surroundings { KeepInput = true, Wrapper = ["setpriv", "--reuid", Text((int)Nobody), "--clear-groups"] });
        Await(() => File.ReadAllText($"/proc/{program.Pid}/comm") == "cat\n");
        Assert.Contains("belongs to another user (65534)", Refused(3, "attach", "-p", Text(program.Pid)), StringComparison.Ordinal);
        program.EndInput();
        program.Wait().Expect(0);
    }

    [Fact]
    public void What_is_launched_under_the_profiler_is_refused_and_cannot_be_detached_from()
    {
        var target = new SteadyTarget(_folder);
        using var recording = Recording.Start(_folder, target.Command);
        target.WaitForOperations(1000, over: () => recording.HasEnded);
        var pid = Text(target.Pid);
        Assert.Contains("is being recorded already", Refused(3, "attach", "-p", pid, "-o", _folder["a.nheap"]), StringComparison.Ordinal);
        Assert.Contains("was not attached to", Refused(3, "detach", "-p", pid), StringComparison.Ordinal);
        Signals.Send(target.Pid, Signals.Kill);
        recording.Outcome.Expect(128 + Signals.Kill);
        Assert.True(recording.Report.Complete);
    }

    [Fact]
    public void A_program_whose_filter_would_end_it_is_refused_and_one_behind_a_mild_filter_is_recorded()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root may read filters");
        using var strict = Program.Start([Built.Target("seccomp_kill"), "wait"], new Surroundings { KeepInput = true });
        using var mild = Program.Start([Built.Target("seccomp_kill"), "mild"], new Surroundings { KeepInput = true });
        Await(() => IsFiltered(strict.Pid) && IsFiltered(mild.Pid));
        var said = Refused(3, "attach", "-p", Text(strict.Pid), "-o", _folder["a.nheap"]);
        Assert.Contains("seccomp filter that would end it for openat", said, StringComparison.Ordinal);
        Attachment.Cycle(_folder, mild.Pid, () => { }).Dispose();
        foreach (var program in new[] { strict, mild })
        {
            program.EndInput();
            Assert.Equal("f", program.Wait().Expect(0).Output);
        }
    }

    [Fact]
    public void A_filter_that_cannot_be_read_is_a_risk_that_somebody_has_to_take()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "it takes root to be somebody else");
        string[] nobody = ["setpriv", "--reuid", Text((int)Nobody), "--clear-groups"];
        using var program = Program.Start(
            [Built.Target("seccomp_kill"), "mild"], new Surroundings { KeepInput = true, Wrapper = nobody });
        Await(() => IsFiltered(program.Pid));
        string[] command = [.. nobody, "dotnet", Built.Command, "attach", "-p", Text(program.Pid), "-o", "/dev/shm/none.nheap"];
        var outcome = Program.Run(command, new Surroundings
        {
            Environment = new Dictionary<string, string?> { ["HOME"] = "/tmp", ["DOTNET_EnableDiagnostics"] = "0" },
        });
        Assert.Contains("--despite-seccomp", Assert.Single(outcome.Expect(3).Said), StringComparison.Ordinal);
        program.EndInput();
        Assert.Equal("f", program.Wait().Expect(0).Output);
    }

    private static bool IsFiltered(int pid) =>
        File.ReadAllText($"/proc/{pid}/status").Contains("\nSeccomp:\t2\n", StringComparison.Ordinal);

    private string Stopped(int pid)
    {
        Signals.Send(pid, Signals.Stop);
        Await(() => File.ReadAllText($"/proc/{pid}/stat").Contains(") T ", StringComparison.Ordinal));
        var said = Refused(3, "attach", "-p", Text(pid));
        Signals.Send(pid, Signals.Continue);
        return said;
    }

    private string Refused(int exitCode, params string[] words)
    {
        string[] command = ["dotnet", Built.Command, .. words];
        return Program.Run(command, new Surroundings { Folder = _folder.Path }).Expect(exitCode).Said[0];
    }

    private static void Await(Func<bool> reached)
    {
        while (!reached())
        {
            Thread.Yield();
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
