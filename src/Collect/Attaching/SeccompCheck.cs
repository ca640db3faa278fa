using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Attaching;

/// <summary>
/// Whether a seccomp filter would end a process for what the shim does in it once: loading it, finding the collector, mapping
/// memory, redirecting calls. (From then on it makes no system call but futex.)
/// </summary>
internal static class SeccompCheck
{
    private const int Filtered = 2; // of /proc/PID/status
    private const int MostThreads = 8; // of which each kind of filter is read

    // Arguments where filters look at them: families, flags, protections. Numbers of x86_64.
    private static readonly SystemCall[] s_needed =
    [
        new("mmap", 9, 0, 65536, 3, 0x22, ulong.MaxValue, 0), // a stack
        new("rt_sigprocmask", 14, 0, 0, 0, 8),
        new("openat", 257, unchecked((ulong)-100), 0, 0x80000), // the library
        new("read", 0, 3),
        new("pread64", 17, 3),
        new("fstat", 5, 3),
        new("newfstatat", 262, 3),
        new("mmap", 9, 0, 65536, 1, 0x802, 3, 0),
        new("mmap", 9, 0, 65536, 5, 0x812, 3, 0),
        new("mprotect", 10, 0, 4096, 1),
        new("mprotect", 10, 0, 4096, 3), // slots of the GOT
        new("close", 3, 3),
        new("socket", 41, 1, 0x80001, 0),
        new("setsockopt", 54, 3, 1, 21),
        new("connect", 42, 3),
        new("getsockopt", 55, 3, 1, 17),
        new("geteuid", 107),
        new("getpid", 39),
        new("getppid", 110),
        new("prctl", 157, 0x59616D61), // PR_SET_PTRACER
        new("prlimit64", 302, 0, 9),
        new("sendto", 44, 3, 0, 64, 0x4000),
        new("recvmsg", 47, 3, 0, 0x40000000),
        new("mmap", 9, 0, 1 << 20, 3, 1, 3, 0), // the region
        new("mmap", 9, 0, 4096, 1, 0x11, 3, 0), // its first page once more
        new("madvise", 28, 0, 4096, 16),
        new("munmap", 11),
        new("mremap", 25, 0, 4096, 4096, 3),
        new("rt_sigaction", 13, 12, 0, 0, 8),
        new("futex", 202, 0, 0),
        new("futex", 202, 0, 1),
        new("futex", 202, 0, 8), // FUTEX_TRYLOCK_PI
        new("gettid", 186),
    ];

    /// <summary>Why a process must be left alone, in words that follow it; null: nothing is known against it.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="takesRisk">Whether filters that cannot be read are none.</param>
    public static string? Problem(int pid, bool takesRisk)
    {
        var reader = new ProcessReader(pid);
        var kinds = (reader.ReadThreads() ?? [])
            .Select(tid => (Tid: tid, Status: reader.ReadThreadStatus(tid)))
            .Where(thread => thread.Status?.Seccomp == Filtered)
            .GroupBy(thread => thread.Status!.SeccompFilterCount)
            .Select(kind => (Count: kind.Key, kind.First().Tid)).Take(MostThreads).ToList();
        foreach (var (count, tid) in kinds)
        {
            if (SeccompFilters.Read(tid) is { } filters)
            {
                if (Fatal(filters) is { } call)
                {
                    return $"runs under a seccomp filter that would end it for {call}, which recording needs at its beginning; "
                        + "start it by nativeheap run, or under listen: then that comes before the filter";
                }
            }
            else if (!takesRisk && !IsOurOwn(count))
            {
                return "runs under a seccomp filter that we cannot read and that may end it for what recording needs; attach as "
                    + "root from outside of containers, or take the risk: --despite-seccomp";
            }
        }
        return null;
    }

    /// <summary>The first call for which filters would end a process; null: there is none.</summary>
    internal static string? Fatal(IReadOnlyList<SeccompFilter> filters) => s_needed
        .FirstOrDefault(call => filters.Any(filter => filter.Judge(call) is SeccompAction.Kill or SeccompAction.Trap))?.Name;

    // In one container with us it has the container's filter, and nothing has happened to us.
    private static bool IsOurOwn(int? count) =>
        count is > 0 && new ProcessReader(Environment.ProcessId).ReadStatus() is { Seccomp: Filtered } own
        && own.SeccompFilterCount == count;
}
