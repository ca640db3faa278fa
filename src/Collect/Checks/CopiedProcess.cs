using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Checks;

/// <summary>
/// A copy of a process (a fork that one of its threads has made while all had parked), for where its memory may not be
/// read from outside: one that has made itself undumpable, or has changed its user. The copy hands its own memory over; the
/// process itself may go on meanwhile.
/// </summary>
internal sealed class CopiedProcess : IHeldProcess, IMemoryReader
{
    private static readonly TimeSpan s_answerPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_burialPatience = TimeSpan.FromSeconds(2);

    private readonly ThreadParking _parking;
    private readonly uint _round;
    private readonly MappedCopyWindow _window;
    private readonly ulong _startTicks;
    private readonly Lazy<IReadOnlyList<MemoryMapping>> _mappings; // the copy's to tell, while the process goes on
    private readonly Lazy<IReadOnlyList<HeldThread>> _threads;
    private int _wentOn;
    private int _isDisposed;

    private CopiedProcess(int pid, ThreadParking parking, uint round, MappedCopyWindow window)
    {
        var reader = new ProcessReader(pid);
        var threads = reader.ReadThreads() ?? [];
        _startTicks = reader.ReadStat()?.StartTicks ?? 0;
        _parking = parking;
        _round = round;
        _window = window;
        Pid = pid;
        _mappings = new(() => ReadMappings(window.Window));
        _threads = new(() => ParkedThreads.Read(threads, this, Mappings, round));
    }

    /// <inheritdoc/>
    public int Pid { get; }

    /// <inheritdoc/>
    public IReadOnlyList<HeldThread> Threads => _threads.Value;

    /// <inheritdoc/>
    public IReadOnlyList<MemoryMapping> Mappings => _mappings.Value;

    /// <inheritdoc/>
    public IMemoryReader Memory => this;

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes => ParkedThreads.Notes(Threads);

    /// <inheritdoc/>
    public bool IsThere => !_window.Window.IsGone;

    /// <summary>Has a process's threads park, and one of them copy it.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="parking">Of that process.</param>
    /// <param name="patience">How long to wait for threads that do not come, and for the copy.</param>
    /// <param name="problem">Why there is none; null on success.</param>
    public static CopiedProcess? TryTake(int pid, ThreadParking parking, TimeSpan patience, out string? problem)
    {
        problem = Refusal(pid, parking);
        return problem is null ? parking.Hold(round => Copy(pid, parking, round, patience), out problem) : null;
    }

    /// <inheritdoc/>
    public PageMap OpenPages() => PageMap.Everything(); // /proc/self/pagemap of such a process is root's

    /// <inheritdoc/>
    public int Read(ulong address, Span<byte> destination) => _window.Window.Read(address, destination);

    /// <inheritdoc/>
    public bool GoOnIfCopied()
    {
        if (Interlocked.Exchange(ref _wentOn, 1) == 0)
        {
            _parking.End(_round);
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        GoOnIfCopied();
        var copy = FindCopy();
        _window.Window.End();
        _window.Dispose();
        // Its entry in the process table is the process's to take away, in the handler of the signal.
        if (copy is not null)
        {
            Libc.WaitForEnd(copy, (int)s_burialPatience.TotalMilliseconds);
            copy.Dispose();
        }

        if (_parking.IsPossible && new ProcessReader(Pid).ReadStat()?.StartTicks == _startTicks)
        {
            ParkedThreads.TrySignal(new ProcessReader(Pid), Pid);
        }
    }

    // In a round that has begun, and that the copy ends, or the caller when there is none.
    private static (CopiedProcess? Process, string? Problem) Copy(int pid, ThreadParking parking, uint round, TimeSpan patience)
    {
        if (!ParkedThreads.Call(pid, parking, patience))
        {
            return (null, $"its memory may not be read, and {ThreadParking.Taken}");
        }

        if (parking.AskForCopy(round, s_answerPatience) is not { } window)
        {
            return (null, "its memory may not be read, and it has no room to hand a copy over");
        }

        CopiedProcess? copied = null;
        try
        {
            var problem = Await(parking, round, patience);
            copied = problem is null ? new CopiedProcess(pid, parking, round, window) : null;
            return (copied, problem);
        }
        finally
        {
            if (copied is null)
            {
                window.Dispose();
            }
        }
    }

    // A pidfd, the caller's; null when it has ended and was buried. By the name that the shim gives it (memory_copy.cpp).
    private SafeFileHandle? FindCopy()
    {
        foreach (var pid in ProcessReader.ProcessIds())
        {
            if (new ProcessReader(pid).ReadStat() is { Name: "nheap-copy" } stat && stat.ParentPid == Pid)
            {
                var handle = Libc.OpenProcess(pid);
                if (!handle.IsInvalid)
                {
                    return handle;
                }

                handle.Dispose();
            }
        }

        return null;
    }

    private static string? Refusal(int pid, ThreadParking parking)
    {
        if (!parking.IsPossible)
        {
            return "its memory may not be read";
        }

        // A filter that the process has put on itself may kill it for a system call that it has never made. One that it
        // has inherited as we have is no such trap: we would have died of it ourselves.
        var own = new ProcessReader(Environment.ProcessId).ReadStatus();
        return new ProcessReader(pid).ReadStatus() is { } status
            && (status.Seccomp == 0 || (status.Seccomp == own?.Seccomp && status.SeccompFilterCount == own?.SeccompFilterCount))
            ? null
            : "its memory may not be read, and a seccomp filter of its own may forbid that it is copied";
    }

    private static string? Await(ThreadParking parking, uint round, TimeSpan patience)
    {
        var watch = Stopwatch.StartNew();
        int? result;
        while ((result = parking.CopyResult(round)) is null)
        {
            if (watch.Elapsed > patience)
            {
                return "its memory may not be read, and none of its threads came to copy it";
            }

            Thread.Yield();
        }

        return result == 0 ? null
            : $"its memory may not be read, and it cannot be copied ({(result > 0 ? new Win32Exception(result.Value).Message : "it is ending")})";
    }

    private static List<MemoryMapping> ReadMappings(CopyWindow window)
    {
        const int MostBytes = 256 << 20;
        var found = new List<MemoryMapping>();
        var part = new byte[WireConstants.CopyDataBytes];
        using var text = new MemoryStream();
        for (var count = window.ReadMappings(true, part); count > 0 && text.Length < MostBytes;)
        {
            text.Write(part, 0, count);
            count = window.ReadMappings(false, part);
        }

        var rest = text.GetBuffer().AsSpan(0, (int)text.Length);
        for (int end; (end = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(end + 1)..])
        {
            if (MemoryMapping.Parse(rest[..end]) is { } mapping)
            {
                found.Add(mapping);
            }
        }

        return found;
    }
}
