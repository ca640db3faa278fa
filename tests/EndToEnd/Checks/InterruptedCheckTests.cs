using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>A check ends in time, and never holds its target longer than it lives itself.</summary>
public sealed class InterruptedCheckTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_check_that_takes_too_long_says_so_and_lets_the_program_end()
    {
        var run = CheckRun.Run(_folder, [Built.Target("lose"), "return"], null, "--time-limit", "1ms");

        run.Outcome.Expect(5);
        Assert.Contains("the check took longer than 0.001 s", run.Check.Notes, StringComparison.Ordinal);
        Assert.Equal((160, 3), run.Check.Sum("possible"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_killed_collector_lets_its_target_go(bool whileItWaits)
    {
        var start = new ProcessStartInfo(
            Built.Supervisor, ["dotnet", Built.Command, "check", "--", Built.Target("lose"), "wait"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var supervisor = Process.Start(start)!;
        var errors = supervisor.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var target = int.Parse(supervisor.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
        var collector = Signals.ChildrenOf(supervisor.Id).Single(child => child.Pid != target).Pid;
        if (whileItWaits)
        {
            Signals.Send(collector, Signals.Stop);
        }
        else
        {
            Signals.Send(collector, Signals.Kill);
        }

        supervisor.StandardInput.Close();
        if (whileItWaits)
        {
            // It waits in the shim for a look at its heap that never comes.
            Assert.True(SpinWait.SpinUntil(() => IsInFutex(target), s_patience));
            Signals.Send(collector, Signals.Kill);
        }

        Assert.True(supervisor.WaitForExit(s_patience), "the target is still held");
        Assert.Equal(3, supervisor.ExitCode);
        Assert.Contains("the collector was ended by signal 9", await errors, StringComparison.Ordinal);
    }

    private static bool IsInFutex(int pid)
    {
        const string futex = "202 ";
        return File.ReadAllText($"/proc/{pid}/syscall").StartsWith(futex, StringComparison.Ordinal);
    }
}
