using System.ComponentModel;
using System.Diagnostics;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Server;
using NativeHeap.Model;

namespace NativeHeap.Collect.Diagnosis;

/// <summary>Whether the shim can be loaded and the collector can be reached: tried out, not guessed.</summary>
public static class ShimDiagnosis
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Tries what a run does before its target starts.</summary>
    /// <param name="shimPath">The shim.</param>
    public static IReadOnlyList<Finding> Examine(string shimPath) =>
        [Shim(shimPath), SocketFolder(), .. SharedMemory()];

    private static Finding Shim(string path)
    {
        const string name = "shim";
        try
        {
            Preflight.CheckShim(path);
        }
        catch (ToolException error)
        {
            return Finding.Fails(name, error.Message);
        }

        return TryLoad(path) is { } problem
            ? Finding.Fails(name, $"{path} cannot be loaded: {problem}", "build it here with tools/build-native")
            : Finding.Ok(name, $"{path} loads");
    }

    // A program that shows its own mappings, with the shim preloaded but without a collector.
    private static string? TryLoad(string path)
    {
        var start = new ProcessStartInfo("cat", ["/proc/self/maps"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var setting in ShimSettingTable.All)
        {
            start.Environment.Remove(setting.Name);
        }

        start.Environment["LD_PRELOAD"] = path;
        try
        {
            using var process = Process.Start(start)!;
            using var limit = new Timer(_ => process.Kill(), null, s_patience, Timeout.InfiniteTimeSpan);
            var errors = process.StandardError.ReadToEndAsync();
            var mappings = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            var said = errors.GetAwaiter().GetResult().Trim();
            return process.ExitCode == 0 && mappings.Contains(Path.GetFileName(path), StringComparison.Ordinal)
                ? null
                : said.Length > 0 ? said.Split('\n')[0] : $"a program with it ended with exit code {process.ExitCode}";
        }
        catch (Win32Exception error)
        {
            return error.Message;
        }
    }

    private static Finding SocketFolder()
    {
        const string name = "socket folder";
        try
        {
            using var folder = PrivateFolder.Create();
            using var socket = Libc.Listen(folder.SocketPath, 1);
            return socket.IsInvalid
                ? Finding.Fails(
                    name, $"no socket in {folder.Path}: {Libc.ErrorText}", "set TMPDIR to a local folder")
                : Finding.Ok(name, $"{Path.GetDirectoryName(folder.Path)} takes a private socket");
        }
        catch (IOException error)
        {
            return Finding.Fails(name, error.Message, "set TMPDIR to a short path that you may write to");
        }
    }

    private static IEnumerable<Finding> SharedMemory()
    {
        const string name = "shared memory";
        using var memory = Libc.CreateMemory("nativeheap-doctor");
        if (memory.IsInvalid)
        {
            yield return Finding.Fails(name, $"memfd_create: {Libc.ErrorText}", "allow it in the seccomp filter");
            yield break;
        }

        var size = RegionSize.Fit(0)!.RegionBytes;
        yield return Libc.Resize(memory, size) && Libc.SealSize(memory)
            ? Finding.Ok(name, "memfd and its seals work")
            : Finding.Fails(name, $"a memfd of {size >> 20} MiB cannot be sized and sealed: {Libc.ErrorText}");
        yield return Memory.Facilities.CanWipeOnFork()
            ? Finding.Ok("fork detection", "MADV_WIPEONFORK works")
            : Finding.Fails("fork detection", "MADV_WIPEONFORK does not work", "use Linux 4.14 or newer");
    }
}
