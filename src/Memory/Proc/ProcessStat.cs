using System.Globalization;

namespace NativeHeap.Memory.Proc;

/// <summary>The useful part of /proc/PID/stat (proc_pid_stat(5)).</summary>
/// <param name="Pid">Process or thread.</param>
/// <param name="Name">comm, at most 15 bytes.</param>
/// <param name="State">R, S, D, Z, T, t, X, …</param>
/// <param name="ParentPid">Parent.</param>
/// <param name="IsExiting">Whether the main thread has begun to end (PF_EXITING of include/linux/sched.h) and will
/// never run the program's code again; nearly always the whole process, unless the main thread left by itself.</param>
/// <param name="ThreadCount">Threads.</param>
/// <param name="StartTicks">Start after boot in clock ticks (100 a second). With the pid it names a process for
/// good: a pid that is used again has another start.</param>
/// <param name="WaitStatus">How a zombie ended, as wait(2) gives it (exit code × 256 + signal); null while it lives
/// and where the kernel does not tell us.</param>
/// <param name="CpuNs">CPU time of all its threads, also of those that have ended, in nanoseconds; the kernel counts in
/// steps of 10 ms.</param>
public sealed record ProcessStat(
    int Pid,
    string Name,
    char State,
    int ParentPid,
    bool IsExiting,
    int ThreadCount,
    ulong StartTicks,
    int? WaitStatus,
    long CpuNs)
{
    /// <summary>True when it has ended and nobody has waited for it yet.</summary>
    public bool IsZombie => State == 'Z';

    /// <summary>Parses the file's text; null when it makes no sense.</summary>
    public static ProcessStat? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);

        // The name may hold anything, brackets and spaces included: the last bracket ends it.
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var close = text.LastIndexOf(')');
        if (open < 0 || close < open || !int.TryParse(text.AsSpan(0, open).Trim(), Number, Invariant, out var pid))
        {
            return null;
        }

        var fields = text[(close + 1)..]
            .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (Field(fields, 3) is not { Length: 1 } state
            || !int.TryParse(Field(fields, 4), Number, Invariant, out var parent)
            || !uint.TryParse(Field(fields, 9), Number, Invariant, out var flags)
            || !int.TryParse(Field(fields, 20), Number, Invariant, out var threads)
            || !ulong.TryParse(Field(fields, 22), Number, Invariant, out var start)
            || !ulong.TryParse(Field(fields, 14), Number, Invariant, out var user)
            || !ulong.TryParse(Field(fields, 15), Number, Invariant, out var system))
        {
            return null;
        }

        var name = text[(open + 1)..close];
        var exiting = (flags & Exiting) != 0;
        return new ProcessStat(pid, name, state[0], parent, exiting, threads, start, ReadWaitStatus(fields), Ticks(user) + Ticks(system));
    }

    private const uint Exiting = 0x4; // PF_EXITING

    private static long Ticks(ulong count) => (long)Math.Min(count, (ulong)uint.MaxValue) * 10_000_000;

    private const NumberStyles Number = NumberStyles.AllowLeadingSign;

    private static CultureInfo Invariant => CultureInfo.InvariantCulture;

    // Fields are counted from 1, the pid; what stands after the name begins with field 3.
    private static string? Field(string[] fields, int number) => number - 3 < fields.Length ? fields[number - 3] : null;

    // A 0 means "ended well" or "you may not know": field 35 (wchan) is 1 for a process that does not run if, and
    // only if, we may know (do_task_stat in fs/proc/array.c, Linux 5.16 and later).
    private static int? ReadWaitStatus(string[] fields)
    {
        if (Field(fields, 3) != "Z" || !int.TryParse(Field(fields, 52), Number, Invariant, out var status))
        {
            return null;
        }

        return status != 0 || Field(fields, 35) == "1" ? status : null;
    }
}
