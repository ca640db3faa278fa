using System.Globalization;
using System.Runtime.InteropServices;
using NativeHeap.Collect.Server;

namespace NativeHeap.Collect.Diagnosis;

/// <summary>What kernel, C library, limits and permissions there are.</summary>
public static class HostDiagnosis
{
    private const ulong RegionShare = 8; // of a limited address space, the shim asks for an eighth

    /// <summary>Looks at this machine and this session.</summary>
    public static IReadOnlyList<Finding> Examine() =>
        [Machine(), Kernel(), CLibrary(), AddressSpace(), Descriptors(), Tracing(), PerformanceEvents()];

    private static Finding Machine() => RuntimeInformation.OSArchitecture == Architecture.X64
        ? new Finding("machine", FindingState.Ok, "x86-64")
        : new Finding("machine", FindingState.Fails, $"{RuntimeInformation.OSArchitecture}", "use an x86-64 machine");

    private static Finding Kernel()
    {
        var release = ReadLine("/proc/sys/kernel/osrelease") ?? "unknown";
        var version = release.Split('.', '-');
        var old = version.Length > 1
            && int.TryParse(version[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            && int.TryParse(version[1], NumberStyles.None, CultureInfo.InvariantCulture, out var minor)
            && (major, minor).CompareTo((4, 14)) < 0;
        return old
            ? new Finding("kernel", FindingState.Fails, release, "use Linux 4.14 or newer")
            : new Finding("kernel", FindingState.Ok, release);
    }

    private static Finding CLibrary() => Memory.Facilities.GlibcVersion() is { } version
        ? new Finding("C library", FindingState.Ok, $"glibc {version}; programs of musl and static programs cannot be profiled")
        : new Finding("C library", FindingState.Note, "not glibc: only programs of glibc can be profiled");

    private static Finding AddressSpace()
    {
        const string name = "address space (ulimit -v)";
        if (Limit("Max address space") is not { } limit)
        {
            return new Finding(name, FindingState.Ok, "unlimited");
        }

        var share = limit / RegionShare;
        return RegionSize.Fit(share) is { } layout
            ? new Finding(name, FindingState.Note, $"{limit >> 20} MiB: the profiler takes {layout.RegionBytes >> 20} MiB of it in each process tree")
            : new Finding(name, FindingState.Fails, $"{limit >> 20} MiB is too little for program and profiler", "raise ulimit -v");
    }

    private static Finding Descriptors()
    {
        // The shim needs one for the handshake; runtime and collector need a few dozen.
        const ulong few = 64;
        const string name = "open files (ulimit -n)";
        var limit = Limit("Max open files");
        var text = limit?.ToString(CultureInfo.InvariantCulture) ?? "unlimited";
        return limit < few
            ? new Finding(name, FindingState.Note, text, "the collector may need more: raise ulimit -n if it fails")
            : new Finding(name, FindingState.Ok, text);
    }

    private static Finding Tracing()
    {
        const string name = "ptrace scope";
        const string later = "for attach and check, which come later";
        return ReadLine("/proc/sys/kernel/yama/ptrace_scope") switch
        {
            null => new Finding(name, FindingState.Ok, $"no Yama: processes of the same user may be traced ({later})"),
            "0" => new Finding(name, FindingState.Ok, $"0: processes of the same user may be traced ({later})"),
            "1" => new Finding(name, FindingState.Note, $"1: only processes we start may be traced ({later})"),
            "2" => new Finding(name, FindingState.Note, $"2: only an administrator may trace ({later})"),
            var value => new Finding(name, FindingState.Note, $"{value}: nobody may trace ({later})"),
        };
    }

    private static Finding PerformanceEvents() => new(
        "perf events",
        FindingState.Ok,
        $"perf_event_paranoid is {ReadLine("/proc/sys/kernel/perf_event_paranoid") ?? "not there"}; not needed yet");

    // "Max address space      unlimited            unlimited            bytes"; the soft limit, null for unlimited.
    private static ulong? Limit(string name)
    {
        var line = ReadLines("/proc/self/limits").FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        var words = line?[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is [var soft, ..] && ulong.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
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
