using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Checks;

/// <summary>A process whose threads have parked, for where ptrace(2) is refused: it stands still, and its memory is read
/// from outside.</summary>
internal sealed class ParkedProcess : IHeldProcess
{
    private readonly ProcessMemory _memory;
    private readonly ProcessReader _reader;
    private readonly Action _release;
    private readonly ulong _startTicks;
    private int _isReleased;

    private ParkedProcess(int pid, uint round, Action release)
    {
        _reader = new ProcessReader(pid);
        _memory = new ProcessMemory(pid);
        _release = release;
        _startTicks = _reader.ReadStat()?.StartTicks ?? 0;
        Pid = pid;
        Mappings = _reader.ReadMappings() ?? [];
        Threads = ParkedThreads.Read(_reader.ReadThreads() ?? [], _memory, Mappings, round);
        Notes = ParkedThreads.Notes(Threads);
    }

    /// <inheritdoc/>
    public int Pid { get; }

    /// <inheritdoc/>
    public IReadOnlyList<HeldThread> Threads { get; }

    /// <inheritdoc/>
    public IReadOnlyList<MemoryMapping> Mappings { get; }

    /// <inheritdoc/>
    public IMemoryReader Memory => _memory;

    /// <inheritdoc/>
    public PageMap OpenPages() => new(Pid);

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes { get; }

    /// <inheritdoc/>
    public bool IsThere => _reader.ReadStat() is { IsZombie: false } stat && stat.StartTicks == _startTicks
        && _memory.CanReadAny(Mappings);

    /// <summary>Has a process's threads park.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="parking">Of that process.</param>
    /// <param name="patience">How long to wait for threads that do not come.</param>
    /// <param name="problem">Why they do not; null on success.</param>
    /// <returns>The process, or a copy of it where its memory may not be read; null when it can be neither.</returns>
    public static IHeldProcess? TryPark(int pid, ThreadParking parking, TimeSpan patience, out string? problem)
    {
        if (!CanRead(pid))
        {
            return CopiedProcess.TryTake(pid, parking, patience, out problem);
        }

        problem = parking.IsPossible
            ? null
            : $"ptrace is refused, and {ThreadParking.Taken}";
        return problem is null ? parking.Hold(round => Park(pid, parking, round, patience), out problem) : null;
    }

    // In a round that has begun, and that the process ends, or the caller when there is none.
    private static (ParkedProcess? Process, string? Problem) Park(
        int pid, ThreadParking parking, uint round, TimeSpan patience)
    {
        if (!ParkedThreads.Call(pid, parking, patience))
        {
            return (null, $"ptrace is refused, and {ThreadParking.Taken}");
        }

        var process = new ParkedProcess(pid, round, () => parking.End(round));
        if (process._memory.CanReadAny(process.Mappings))
        {
            return (process, null);
        }

        process._memory.Dispose();
        return (null, "its memory cannot be read any more");
    }

    /// <summary>Whether a process's memory may be read from outside.</summary>
    public static bool CanRead(int pid)
    {
        using var memory = new ProcessMemory(pid);
        return new ProcessReader(pid).ReadMappings() is { Count: > 0 } mappings && memory.CanReadAny(mappings);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 0)
        {
            _memory.Dispose();
            _release();
        }
    }
}
