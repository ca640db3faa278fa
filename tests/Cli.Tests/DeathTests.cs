using System.Diagnostics;
using System.Text.Json;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Cli.Tests;

/// <summary>Whatever happens to us, the command goes on; whatever happens to it, the trace is whole.</summary>
public sealed class DeathTests : IDisposable
{
    private const string Operations = "20000000";

    private readonly TempFolder _folder = new();

    private string TracePath => _folder["trace.nheap"];

    [Fact]
    public void A_collector_that_dies_is_marked_in_the_region_by_the_kernel()
    {
        // The helper plays the shim, so the real one must not be there.
        var outcome = CommandLine.Run(
            "run", "-o", TracePath, "--", "env", "-u", "LD_PRELOAD", CommandLine.Target("kill_collector"));
        Assert.Equal((0, "held died\n"), (outcome.Code, outcome.Output));
    }

    [Fact]
    public void A_supervisor_that_is_killed_leaves_the_command_alone_and_its_recording()
    {
        using var line = CommandLine.Start(
            ["run", "-o", TracePath, "--", CommandLine.Target("steady"), _folder["account"], Operations]);
        CommandLine.Until(() => Allocations(TracePath) > 0);
        Kill(line.Pid);
        var outcome = line.Finish(); // the command's output, when it has ended
        Assert.Equal(128 + 9, outcome.Code);
        using var account = JsonDocument.Parse(outcome.Output);
        CommandLine.Until(() => IsClosed(TracePath));
        using var trace = TraceReader.Open(TracePath);
        Assert.True(trace.Info.Complete);
        Assert.Equal(
            account.RootElement.GetProperty("allocations").GetInt64(), Assert.Single(trace.Processes).Totals.Allocations);
    }

    [Fact]
    public void A_full_disk_ends_the_trace_and_not_the_command()
    {
        var plain = CommandLine.RunPlain(CommandLine.Target("steady"), _folder["plain"], Operations);
        using var line = CommandLine.Start(
            ["run", "-o", TracePath, "--", CommandLine.Target("steady"), _folder["account"], Operations]);
        CommandLine.Until(() => Allocations(TracePath) > 0);
        // Whatever the collector writes from now on lies beyond that.
        Limit(line.Children()[0], 4096);
        var outcome = line.Finish();
        Assert.Equal((plain.Code, plain.Output), (outcome.Code, outcome.Output));
        Assert.Single(
            outcome.Error.Split('\n'), line => line.Contains("the trace ends at its last commit", StringComparison.Ordinal));
        using var trace = TraceReader.Open(TracePath);
        Assert.False(trace.Info.Closed);
        Assert.NotEmpty(trace.Processes);
    }

    [Fact]
    public void Nothing_is_left_of_the_socket()
    {
        using var runtime = new TempFolder();
        CommandLine.RunIn(
            start => start.Environment["XDG_RUNTIME_DIR"] = runtime.Path, "run", "-o", TracePath, "--", "sh", "-c", ":");
        Assert.Empty(Directory.GetFileSystemEntries(runtime.Path));
    }

    public void Dispose() => _folder.Dispose();

    private static void Kill(int pid) => Process.GetProcessById(pid).Kill();

    private static void Limit(int pid, long bytes)
    {
        using var prlimit = Process.Start("prlimit", ["--pid", $"{pid}", $"--fsize={bytes}:{bytes}"]);
        prlimit.WaitForExit();
        Assert.Equal(0, prlimit.ExitCode);
    }

    private static long Allocations(string path)
    {
        try
        {
            using var trace = TraceReader.Open(path);
            return trace.Processes.Sum(process => process.Totals.Allocations);
        }
        catch (TraceException)
        {
            return 0; // it does not hold anything yet
        }
    }

    private static bool IsClosed(string path)
    {
        using var trace = TraceReader.Open(path);
        return trace.Info.Closed;
    }
}
