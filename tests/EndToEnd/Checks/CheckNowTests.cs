using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>Heap-checks of a process that goes on.</summary>
public sealed class CheckNowTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Process _target;

    public CheckNowTests()
    {
        var start = new ProcessStartInfo(
            Built.Supervisor,
            ["dotnet", Built.Command, "run", "-o", _folder["trace.nheap"], "--", Built.Target("lose"), "wait"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _target = Process.Start(start)!;
        _target.ErrorDataReceived += (_, _) => { };
        _target.BeginErrorReadLine();
        Pid = int.Parse(_target.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
    }

    private int Pid { get; }

    public void Dispose()
    {
        _target.StandardInput.Close();
        _target.WaitForExit();
        Assert.Equal(3, _target.ExitCode);
        _target.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_process_is_checked_as_often_as_one_likes_and_for_what_is_new()
    {
        Assert.Equal(((100L, 1L), (50L, 1L)), Lost());
        Lose();
        Assert.Equal(((200L, 2L), (100L, 2L)), Lost());
        Assert.Equal(((0L, 0L), (0L, 0L)), Lost("--since-last"));
        Lose();
        Assert.Equal(((100L, 1L), (50L, 1L)), Lost("--since-last"));
        Assert.Equal(((300L, 3L), (150L, 3L)), Lost());
    }

    [Fact]
    public void Somebody_elses_process_is_none_that_can_be_checked() =>
        CheckRun.Now(_folder, Environment.ProcessId).Outcome.Expect(3);

    private ((long Bytes, long Blocks) Definite, (long Bytes, long Blocks) Indirect) Lost(params string[] options)
    {
        var lost = CheckRun.Now(_folder, Pid, options).Check.Of("lose");
        return (lost.GetValueOrDefault("definite"), lost.GetValueOrDefault("indirect"));
    }

    private void Lose()
    {
        _target.StandardInput.Write("\n");
        _target.StandardInput.Flush();
        Assert.Equal("lost", _target.StandardOutput.ReadLine());
    }
}
