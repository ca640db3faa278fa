using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>A process that is killed while it is held for a check (tests/targets/lose.c).</summary>
public sealed class KilledTargetTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Its_check_says_so_and_the_recording_of_others_goes_on()
    {
        // Two processes of one recording, one after the other at the same input.
        string[] command = ["/bin/bash", "-c", "exec 3<&0; \"$0\" crowd <&3 & \"$0\" wait <&3 & wait; exit 7", Built.Target("lose")];
        using var recorded = Start(["run", "-o", _folder["a.nheap"], "--", .. command]);
        int[] pids = [Pid(recorded), Pid(recorded)];
        var crowd = pids.Single(pid => File.ReadAllText($"/proc/{pid}/cmdline").Contains("crowd", StringComparison.Ordinal));
        var other = pids.Single(pid => pid != crowd);

        using var check = Harness.Program.Start(["dotnet", Built.Command, "check", "-p", $"{crowd}"]);
        KillWhenItIsHeld(crowd, check, looks: 1);

        AssertSaid(check.Wait(), crowd);
        Assert.Equal((100, 1), CheckRun.Now(_folder, other).Check.Of("lose")["definite"]);

        recorded.StandardInput.Close();
        await recorded.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience, TestContext.Current.CancellationToken);
        Assert.Equal(7, recorded.ExitCode);
    }

    [Fact]
    public void The_check_of_a_command_that_is_killed_is_answered_before_the_recording_ends()
    {
        using var recorded = Start(["run", "-o", _folder["a.nheap"], "--", Built.Target("lose"), "crowd"]);
        var pid = Pid(recorded);
        using var check = Harness.Program.Start(["dotnet", Built.Command, "check", "-p", $"{pid}"]);
        KillWhenItIsHeld(pid, check, looks: 20);

        AssertSaid(check.Wait(), pid);
        Assert.True(recorded.WaitForExit(s_patience));
        Assert.Equal(128 + Signals.Kill, recorded.ExitCode);
    }

    private static Process Start(params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(Built.Supervisor, ["dotnet", Built.Command, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }

    private static int Pid(Process recorded) => int.Parse(recorded.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);

    // Before it was asked to stand still, before all of its threads did, or after.
    private static void AssertSaid(Outcome outcome, int pid)
    {
        outcome.Expect(5);
        string[] lines =
        [
            $"error: process {pid} could not be checked: it is ending",
            $"error: process {pid} could not be checked: the process has ended",
            "note: not freed, reachability unknown: it died while it was looked at",
        ];
        Assert.Single(outcome.Said, lines.Contains);
    }

    private static void KillWhenItIsHeld(int pid, Harness.Program check, int looks)
    {
        for (var look = 0; look < looks && !check.HasEnded; look++)
        {
            Assert.True(SpinWait.SpinUntil(() => check.HasEnded || IsTraced(pid), s_patience), "it is not held");
        }

        Signals.Send(pid, Signals.Kill);
    }

    private static bool IsTraced(int pid) => File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1].StartsWith('t');
}
