using System.Globalization;

namespace NativeHeap.EndToEnd.Objects;

/// <summary>What <c>objects</c> and <c>refs</c> cannot answer: one clear line, the agreed exit code, and the process that was
/// asked about runs on, whatever becomes of us.</summary>
public sealed class ObjectsRefusalTests : IDisposable
{
    private const int Usage = 2, Target = 3, Input = 4;
    private const int KillTries = 12;

    private readonly TempFolder _folder = new();
    private readonly SteadyTarget _steady;
    private readonly Program _running;

    public ObjectsRefusalTests()
    {
        _steady = new SteadyTarget(_folder);
        _running = Program.Start(_steady.Command);
        _steady.WaitForOperations(1, () => false);
    }

    private string Pid => _steady.Pid.ToString(CultureInfo.InvariantCulture);

    public void Dispose()
    {
        _running.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Questions_without_an_answer_get_one_line_each()
    {
        var text = _folder.Write("notes.txt", "no trace and no core");
        AssertRefused(Usage, "give a process", "objects");
        AssertRefused(Usage, "not both", "objects", "-p", Pid, text);
        AssertRefused(Usage, "is not of the form", "objects", "-p", Pid, "--where", "_disposed");
        AssertRefused(Target, "there is no process", "objects", "-p", "4194304");
        AssertRefused(Target, "runs no .NET", "objects", "-p", Pid, "--where", "_disposed == true");
        AssertRefused(Usage, "compares all objects", "objects", "-p", Pid, "--growth", "--disposed");
        AssertRefused(Target, "is not being recorded", "objects", "-p", Pid, "--growth");
        AssertRefused(Usage, "no objects of type", "objects", "-p", Pid, "--type", "No.Such");
        AssertRefused(Input, "not a trace", "objects", text);
        AssertRefused(Input, "nowhere", "refs", _folder["nowhere"], "0x1000");
        AssertRefused(Target, "is not being recorded", "refs", "-p", Pid, "--stack", "main");
        AssertRefused(Usage, "is no address", "refs", "-p", Pid, "here");
        AssertRefused(Usage, "lies in no object", "refs", "-p", Pid, "0x1000");
        AssertRefused(Usage, "give the address", "refs", "-p", Pid);
        AssertRefused(Usage, "must end in .svg", "refs", "-p", Pid, "0x1000", "-o", _folder["chain.png"]);
        AssertRefused(Usage, "--force", "refs", "-p", Pid, "0x1000", "-o", _folder.Write("kept.svg", "precious"));
        AssertGoesOn();
    }

    [Fact]
    public void A_core_that_cannot_be_read_says_why()
    {
        const int machine = 18, arm64 = 183;
        Program.Run(["gcore", "-o", _folder["core"], Pid]).Expect(0);
        var core = _folder["core." + Pid];
        var bytes = File.ReadAllBytes(core);
        File.WriteAllBytes(_folder["cut"], bytes[..(bytes.Length / 2)]);
        bytes[machine] = arm64;
        File.WriteAllBytes(_folder["other"], bytes);

        AssertRefused(Input, "is cut short", "objects", _folder["cut"]);
        AssertRefused(Input, "another kind of machine", "objects", _folder["other"]);
        AssertRefused(Input, "is no core dump", "objects", Built.Target("steady"));
        Program.Run(["dotnet", Built.Command, "objects", core]).Expect(0);
    }

    [Fact]
    public void A_runtime_without_its_data_access_library_is_refused_and_its_process_goes_on()
    {
        var found = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "dotnet")).First(File.Exists);
        var installed = Path.GetDirectoryName(File.ResolveLinkTarget(found, returnFinalTarget: true)?.FullName ?? found)!;
        var runtime = $"shared/Microsoft.NETCore.App/{Environment.Version}";
        Directory.CreateDirectory(Path.Combine(_folder["dotnet"], "shared/Microsoft.NETCore.App"));
        foreach (var part in new[] { "dotnet", "host", runtime })
        {
            Program.Run(["cp", "-r", Path.Combine(installed, part), Path.Combine(_folder["dotnet"], part)]).Expect(0);
        }

        File.Delete(Path.Combine(_folder["dotnet"], runtime, "libmscordaccore.so"));
        using var running = Program.Start(
            [Path.Combine(_folder["dotnet"], "dotnet"), Built.DotNetTarget("dotnet-objects"), "10"], new Surroundings { KeepInput = true });
        Assert.True(SpinWait.SpinUntil(
            () => running.HasEnded || File.ReadAllText($"/proc/{running.Pid}/maps").Contains("libcoreclr.so", StringComparison.Ordinal), TimeSpan.FromMinutes(1)));

        AssertRefused(Target, "libmscordaccore.so is missing", "objects", "-p", running.Pid.ToString(CultureInfo.InvariantCulture));

        running.EndInput();
        Assert.StartsWith("100 50 10 3", running.Wait().Expect(0).Output.Split('\n')[^2], StringComparison.Ordinal);
    }

    [Fact]
    public void Another_users_process_is_refused()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to be somebody else");
        var nobody = new Surroundings
        {
            Wrapper = ["setpriv", "--reuid", "65534", "--clear-groups"],
            Environment = new Dictionary<string, string?> { ["HOME"] = "/tmp", ["DOTNET_CLI_HOME"] = "/tmp" },
        };
        var outcome = Program.Run(["dotnet", Built.Command, "objects", "-p", Pid], nobody).Expect(Target);
        Assert.Contains(outcome.Said, line => line.Contains("belongs to somebody else", StringComparison.Ordinal));
        AssertGoesOn();
    }

    [Fact]
    public void The_process_runs_on_when_we_are_killed_at_any_moment()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Program.Run(["dotnet", Built.Command, "refs", "-p", Pid, "--type", "(native block)"]).Expect(0);
        var whole = clock.Elapsed;
        for (var i = 0; i < KillTries; i++)
        {
            // Moments spread over the second half of a whole run, in which it is held.
            var moment = whole * (0.4 + (0.6 * i / KillTries));
            using var asking = Program.Start(["dotnet", Built.Command, "refs", "-p", Pid, "--type", "(native block)"]);
            clock.Restart();
            Assert.True(SpinWait.SpinUntil(() => clock.Elapsed > moment || asking.HasEnded, TimeSpan.FromMinutes(1)));
            Signals.Send(asking.Pid, Signals.Kill);
            asking.Wait();
            AssertGoesOn();
        }
    }

    private void AssertGoesOn()
    {
        Assert.False(_running.HasEnded);
        _steady.WaitForOperations(_steady.Operations + 100, () => _running.HasEnded);
    }

    private static void AssertRefused(int exitCode, string says, params string[] arguments)
    {
        var outcome = Program.Run(["dotnet", Built.Command, .. arguments]).Expect(exitCode);
        var error = Assert.Single(outcome.Said);
        Assert.StartsWith("error: ", error, StringComparison.Ordinal);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.Equal("", outcome.Output);
        Assert.Equal("", outcome.OwnErrors.Trim());
    }
}
