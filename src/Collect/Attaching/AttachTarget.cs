using System.Globalization;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Sessions;
using NativeHeap.Managed;
using NativeHeap.Memory;
using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Collect.Attaching;

/// <summary>How the shim gets into a process that runs.</summary>
public enum AttachWay
{
    /// <summary>Its .NET runtime loads it.</summary>
    DiagnosticPort,

    /// <summary>One of its threads is made to load it, by ptrace(2).</summary>
    Ptrace,
}

/// <summary>A running process that can be attached to.</summary>
/// <param name="Pid">In our pid namespace.</param>
/// <param name="Name">Of its executable, without folders.</param>
/// <param name="Command">Its arguments.</param>
/// <param name="Way">How, unless that fails.</param>
/// <param name="StartTicks">When it was started (<see cref="ProcessStat.StartTicks"/>), for pids are used again.</param>
public sealed record AttachTarget(int Pid, string Name, IReadOnlyList<string> Command, AttachWay Way, ulong StartTicks)
{
    /// <summary>Looks whether a process can be attached to. It is not changed; where seccomp
    /// filters are to be read, some of its threads are stopped for a moment.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="shim">The library that would be loaded.</param>
    /// <param name="despiteSeccomp">Whether also where a seccomp filter cannot be read that might end it.</param>
    /// <returns>The process.</returns>
    /// <exception cref="ToolException">It cannot be; one line says why and what to do. Exit code 3.</exception>
    public static AttachTarget Examine(int pid, string shim, bool despiteSeccomp = false) =>
        Examine(pid, () => OutOfSight(pid, shim) ?? Recorded(pid), despiteSeccomp);

    /// <summary>Looks whether a process that has the shim loaded can be made to call it.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <exception cref="ToolException">As of <see cref="Examine(int, string, bool)"/>.</exception>
    internal static AttachTarget ExamineLoaded(int pid) => Examine(pid, () => null, despiteSeccomp: false);

    private static AttachTarget Examine(int pid, Func<string?> findProblem, bool despiteSeccomp)
    {
        var reader = new ProcessReader(pid);
        if (reader.ReadStat() is not { } stat || reader.ReadStatus() is not { } status || status.ProcessId != pid)
        {
            throw Refuse($"there is no process {pid}; see ps for the pids there are");
        }

        var mappings = reader.ReadMappings();
        var problem = stat.IsZombie ? "has ended; its parent has not waited for it"
            : stat.IsExiting && mappings is null or { Count: 0 } ? "is just ending"
            : pid == Environment.ProcessId ? "is this very command"
            : Stranger(status)
            ?? (mappings is null ? "protects itself; attach as root"
            : mappings.Count == 0 ? "is a thread of the kernel, which has no heap"
            : Foreign(pid, mappings) ?? findProblem());
        if (problem is not null)
        {
            throw Refuse($"process {pid} {problem}");
        }

        var way = ManagedSession.CanAttach(pid) ? AttachWay.DiagnosticPort : AttachWay.Ptrace;
        if (way == AttachWay.Ptrace && Untraceable(stat, status) is { } obstacle)
        {
            throw Refuse($"process {pid} {obstacle}");
        }

        if (SeccompCheck.Problem(pid, despiteSeccomp) is { } filter)
        {
            throw Refuse($"process {pid} {filter}");
        }

        var command = reader.ReadCommandLine() ?? [];
        var name = Path.GetFileName(reader.ReadExecutable() ?? stat.Name);
        return new AttachTarget(pid, name, command, way, stat.StartTicks);
    }

    /// <summary>Whether it still runs.</summary>
    public bool IsThere() => new ProcessReader(Pid).ReadStat() is { IsZombie: false } stat && stat.StartTicks == StartTicks;

    /// <summary>Why ptrace(2) cannot be the way, in words that follow the process; null: nothing is known against it.</summary>
    internal static string? Untraceable(int pid)
    {
        var reader = new ProcessReader(pid);
        return reader.ReadStat() is { } stat && reader.ReadStatus() is { } status ? Untraceable(stat, status) : "has ended";
    }

    private static string? Untraceable(ProcessStat stat, ProcessStatus status)
    {
        if (status.TracerPid is > 0 and var tracer)
        {
            return $"is being traced by process {tracer}, and has only one tracer; end that first";
        }

        if (stat.State is 'T' or 't')
        {
            return $"is stopped; let it go on first: kill -CONT {stat.Pid}";
        }

        if (status.HasShadowStack)
        {
            return "has shadow stacks, under which its threads cannot be made to load the shim; start it by nativeheap run";
        }

        const int strict = 1;
        if (status.Seccomp == strict)
        {
            return "may not make system calls (strict seccomp), and would be killed for those that recording needs";
        }

        return Tracer.HasCapability ? null : ReadScope() switch
        {
            '1' or '2' => "may not be traced by us (Yama): attach as root, or allow it by sysctl kernel.yama.ptrace_scope=0",
            '3' => "may not be traced by anybody (Yama, kernel.yama.ptrace_scope is 3 until the next boot)",
            _ => null,
        };
    }

    private static char ReadScope()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/yama/ptrace_scope").TrimStart().FirstOrDefault('0');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return '0'; // there is no Yama
        }
    }

    // The shim trusts no collector of another user, and could not reach its socket.
    private static string? Stranger(ProcessStatus status)
    {
        var own = Server.Libc.GetUserId();
        var ids = status.UserIds ?? [];
        return ids.Count >= 3 && ids.Take(3).All(id => id == own)
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"belongs to another user{(ids.Count > 0 ? $" ({ids[0]})" : "")}; attach as that user");
    }

    private static string? Foreign(int pid, IReadOnlyList<MemoryMapping> mappings)
    {
        using var program = ElfFile.TryOpen($"/proc/{pid}/exe", out var problem);
        if (program is null)
        {
            return $"cannot be looked at: its program is {problem}";
        }

        if (PreflightImage.Refusal(program, PreflightImage.CurrentMachine()) is { } refusal)
        {
            return refusal;
        }

        // Started by the dynamic linker itself, or with a C library of its own.
        return mappings.Any(mapping => IsGlibc(Path.GetFileName(mapping.Path)))
            ? null
            : "has not loaded the GNU C library, and only programs of glibc can be profiled";
    }

    private static bool IsGlibc(string name) => name == "libc.so.6"
        || (name.StartsWith("libc-2.", StringComparison.Ordinal) && name.EndsWith(".so", StringComparison.Ordinal));

    /// <summary>Why a path of ours does not lead a process to the same file; null when it does.</summary>
    internal static string? OutOfSight(int pid, string path)
    {
        var ours = FileStatus.TryRead(path, out _);
        var theirs = FileStatus.TryRead($"/proc/{pid}/root{Path.GetFullPath(path)}", out _);
        return ours is { } here && theirs is { } there && (here.Device, here.Inode) == (there.Device, there.Inode)
            ? null
            : new ProcessReader(pid).ReadMappings() is not { Count: > 0 } ? "is just ending"
            : $"sees other files than we do (a container?) and does not find {path}; attach from where it runs";
    }

    private static string? Recorded(int pid)
    {
        if (Collectors.FindSocket(pid) is null)
        {
            return null;
        }

        try
        {
            return $"is being recorded already, to {ControlClient.TracePath(pid)}";
        }
        catch (ToolException)
        {
            return null; // its collector has let it go, and records others
        }
    }

    private static ToolException Refuse(string message) =>
        new(string.Concat(message.Select(c => char.IsControl(c) ? '?' : c)), ExitCodes.Target);
}
