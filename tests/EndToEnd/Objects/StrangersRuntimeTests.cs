using System.Globalization;

namespace NativeHeap.EndToEnd.Objects;

/// <summary>
/// Root looks into another user's .NET process. The library that ClrMD loads stands beside the runtime, where that user may have
/// put anything: here one that leaves a file behind.
/// </summary>
public sealed class StrangersRuntimeTests : IDisposable
{
    private const int Target = 3, Input = 4;
    private const string Library = "libmscordaccore.so";

    private static readonly string[] s_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Nothing_is_loaded_from_where_another_user_may_have_put_it()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to be somebody else");
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1ED); // 755
        var (host, runtime) = CopyRuntime();
        var loaded = _folder["loaded"];
        var library = Tool.CompileC(
            _folder, "strange", $"#include <fcntl.h>\n__attribute__((constructor)) static void be(void) {{ open(\"{loaded}\", O_CREAT | O_WRONLY, 0600); }}\n",
            "-shared", "-fPIC");
        File.Copy(library, Path.Combine(runtime, Library), overwrite: true);
        Program.Run(["chown", "-R", "65534:65534", Path.GetDirectoryName(host)!]).Expect(0);
        using var running = Start(host);
        var pid = running.Pid.ToString(CultureInfo.InvariantCulture);

        AssertRefused(Target, "objects", "-p", pid);
        Program.Run(["gcore", "-o", _folder["core"], pid]).Expect(0);
        AssertRefused(Input, "objects", _folder["core." + pid]);
        Assert.False(File.Exists(loaded));
        running.EndInput();
        running.Wait().Expect(0);
    }

    [Fact]
    public void A_runtime_that_root_has_installed_is_looked_into_whoever_runs_it()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to be somebody else");
        using var running = Start("dotnet");
        Program.Run(["dotnet", Built.Command, "objects", "-p", running.Pid.ToString(CultureInfo.InvariantCulture)]).Expect(0);
        running.EndInput();
        running.Wait().Expect(0);
    }

    private static void AssertRefused(int exitCode, params string[] words)
    {
        var outcome = Program.Run(["dotnet", Built.Command, .. words]).Expect(exitCode);
        Assert.Contains(outcome.Said, line => line.Contains(Library + " is not loaded", StringComparison.Ordinal));
    }

    private static Program Start(string host)
    {
        var running = Program.Start([host, Built.DotNetTarget("dotnet-objects"), "10"], new Surroundings
        {
            KeepInput = true,
            Wrapper = s_nobody,
            Environment = new Dictionary<string, string?> { ["HOME"] = "/tmp", ["DOTNET_CLI_HOME"] = "/tmp" },
        });
        Assert.True(SpinWait.SpinUntil(
            () => running.HasEnded || File.ReadAllText($"/proc/{running.Pid}/maps").Contains("libcoreclr.so", StringComparison.Ordinal), TimeSpan.FromMinutes(1)));
        Assert.False(running.HasEnded, "the program ended");
        return running;
    }

    private (string Host, string Runtime) CopyRuntime()
    {
        var found = Tool.Find("dotnet")!;
        var installed = Path.GetDirectoryName(File.ResolveLinkTarget(found, returnFinalTarget: true)?.FullName ?? found)!;
        var runtime = $"shared/Microsoft.NETCore.App/{Environment.Version}";
        Directory.CreateDirectory(Path.Combine(_folder["dotnet"], "shared/Microsoft.NETCore.App"));
        foreach (var part in new[] { "dotnet", "host", runtime })
        {
            Program.Run(["cp", "-r", Path.Combine(installed, part), Path.Combine(_folder["dotnet"], part)]).Expect(0);
        }
        return (Path.Combine(_folder["dotnet"], "dotnet"), Path.Combine(_folder["dotnet"], runtime));
    }
}
