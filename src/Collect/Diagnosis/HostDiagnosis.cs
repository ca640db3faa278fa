using System.Globalization;
using System.Runtime.InteropServices;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Diagnosis;

/// <summary>What kernel, C library, limits and permissions there are.</summary>
public static class HostDiagnosis
{
    private const ulong RegionShare = 8; // of a limited address space, the shim asks for an eighth

    /// <summary>Looks at this machine and this session.</summary>
    public static IReadOnlyList<Finding> Examine() =>
        [Machine(), Kernel(), CLibrary(), AddressSpace(), Descriptors(), Tracing(), PerformanceEvents()];

    private static Finding Machine() => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => Finding.Ok("machine", "x86-64"),
        Architecture.Arm64 => Finding.Note(
            "machine", "aarch64: programs are recorded; attach, check, objects and refs are for x86-64, .NET code has no names"),
        var other => Finding.Fails("machine", $"{other}", "use an x86-64 or aarch64 machine"),
    };

    private static Finding Kernel()
    {
        var release = ReadLine("/proc/sys/kernel/osrelease") ?? "unknown";
        var version = release.Split('.', '-');
        var old = version.Length > 1
            && int.TryParse(version[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            && int.TryParse(version[1], NumberStyles.None, CultureInfo.InvariantCulture, out var minor)
            && (major, minor).CompareTo((4, 14)) < 0;
        return old
            ? Finding.Fails("kernel", release, "use Linux 4.14 or newer")
            : Finding.Ok("kernel", release);
    }

    private static Finding CLibrary() => Memory.Facilities.GlibcVersion() is { } version
        ? Finding.Ok("C library", $"glibc {version}; static programs cannot be profiled, nor can those of other C libraries than glibc and musl")
        : Finding.Note("C library", "not glibc: only programs of glibc and musl can be profiled");

    private static Finding AddressSpace()
    {
        const string name = "address space (ulimit -v)";
        if (Limit("Max address space") is not { } limit)
        {
            return Finding.Ok(name, "unlimited");
        }

        var share = limit / RegionShare;
        return RegionSize.Fit(share) is { } layout
            ? Finding.Note(name, $"{limit >> 20} MiB, of which the profiler takes {layout.RegionBytes >> 20} MiB")
            : Finding.Fails(name, $"{limit >> 20} MiB is too little for program and profiler", "raise ulimit -v");
    }

    private static Finding Descriptors()
    {
        // The shim needs one for the handshake; runtime and collector need a few dozen.
        const ulong few = 64;
        const string name = "open files (ulimit -n)";
        var limit = Limit("Max open files");
        var text = limit?.ToString(CultureInfo.InvariantCulture) ?? "unlimited";
        return limit < few
            ? Finding.Note(name, text, "the collector may need more: raise ulimit -n if it fails")
            : Finding.Ok(name, text);
    }

    private static Finding Tracing()
    {
        const string name = "ptrace scope";
        const string later = "for attach and check";
        return ReadLine("/proc/sys/kernel/yama/ptrace_scope") switch
        {
            null => Finding.Ok(name, $"no Yama: processes of the same user may be traced ({later})"),
            "0" => Finding.Ok(name, $"0: processes of the same user may be traced ({later})"),
            "1" => Finding.Note(name, $"1: only processes we start may be traced ({later})"),
            "2" => Finding.Note(name, $"2: only an administrator may trace ({later})"),
            var value => Finding.Note(name, $"{value}: nobody may trace ({later})"),
        };
    }

    private static Finding PerformanceEvents() => Finding.Ok(
        "perf events",
        $"perf_event_paranoid is {ReadLine("/proc/sys/kernel/perf_event_paranoid") ?? "not there"}; not needed yet");

    // "Max address space      unlimited            unlimited            bytes"; the soft limit, null for unlimited.
    // Our parent's, the shell's: the runtime has raised some of ours.
    private static ulong? Limit(string name)
    {
        var parent = new ProcessReader(Environment.ProcessId).ReadStat()?.ParentPid;
        var lines = ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{parent}/limits"));
        var line = (lines.Length > 0 ? lines : ReadLines("/proc/self/limits"))
            .FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        var soft = line?[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return ulong.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
    }

    private static string? ReadLine(string path) => ReadLines(path).FirstOrDefault()?.Trim();

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
