using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>Heap-checks, while it goes on, of a process whose memory its user may not read.</summary>
public sealed class CopiedCheckTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private static readonly string[] s_asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

    private readonly TempFolder _folder = new();
    private readonly Process _target;

    public CopiedCheckTests()
    {
        Tool.Need("setpriv");
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_111_111);
        string[] run = [Built.Supervisor, "dotnet", Built.Command, "run", "-o", _folder["trace.nheap"], "--", Built.Target("copied")];
        _target = Process.Start(new ProcessStartInfo(s_asNobody[0], [.. s_asNobody[1..], .. run])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
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
    public async Task It_goes_on_while_its_copy_is_looked_at_and_nothing_is_left_of_that()
    {
        var check = Task.Run(() => CheckRun.Now(_folder, Pid));
        int? copy = null;
        Assert.True(SpinWait.SpinUntil(() => check.IsCompleted || (copy = Child()) is not null, s_patience));
        Assert.True(copy is not null, check.IsCompleted ? (await check).Outcome.Errors : "there is no copy");
        StopWithoutDescriptors(copy.Value);

        var meanwhile = Said();
        Signals.Send(copy.Value, Signals.Continue);
        var found = await check;

        Assert.Equal("closed, a child", meanwhile); // which has none of its descriptors
        found.Outcome.Expect(23);
        Assert.Equal(((100L, 1L), (50L, 1L)), (found.Check.Of("lose")["definite"], found.Check.Of("lose")["indirect"]));
        CheckRun.Now(_folder, Pid, "--since-last").Outcome.Expect(0); // as often as one likes
        Assert.True(SpinWait.SpinUntil(() => Child() is null, s_patience));
        Assert.Equal("closed, no children", Said());
    }

    [Fact]
    public void Its_own_user_who_may_not_look_at_it_finds_its_collector_and_checks_it()
    {
        var found = CheckRun.NowIn(_folder, new Surroundings { Wrapper = s_asNobody }, Pid);

        found.Outcome.Expect(23);
        Assert.Equal((100L, 1L), found.Check.Of("lose")["definite"]);
        Assert.True(SpinWait.SpinUntil(() => Child() is null, s_patience));
        Assert.Equal("closed, no children", Said());
    }

    // It closes them first thing.
    private static void StopWithoutDescriptors(int copy)
    {
        Assert.True(
            SpinWait.SpinUntil(
                () =>
                {
                    Signals.Send(copy, Signals.Stop);
                    var isReady = !Directory.EnumerateFiles($"/proc/{copy}/fd").Any(
                        descriptor => File.ResolveLinkTarget(descriptor, false)?.Name.StartsWith("pipe:", StringComparison.Ordinal) == true);
                    if (!isReady)
                    {
                        Signals.Send(copy, Signals.Continue);
                    }

                    return isReady;
                },
                s_patience),
            "it keeps the program's pipes open");
    }

    private int? Child() => int.TryParse(
        File.ReadAllText($"/proc/{Pid}/task/{Pid}/children").Split(' ')[0], CultureInfo.InvariantCulture, out var pid) ? pid : null;

    private string? Said()
    {
        _target.StandardInput.Write("\n");
        _target.StandardInput.Flush();
        return _target.StandardOutput.ReadLine();
    }
}
