using System.Buffers.Binary;
using System.Diagnostics;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Checks;

/// <summary>
/// A process whose threads have parked in a signal handler of the shim, for where ptrace(2) is refused. A thread's
/// registers lie in the signal's frame on its stack. Threads that have the signal blocked, or are deep in the kernel, do
/// not come, and run on.
/// </summary>
internal sealed class ParkedProcess : IHeldProcess
{
    /// <summary>The signal that the shim takes: real-time, and used by neither glibc, .NET nor valgrind.</summary>
    public const int Signal = 53;

    private const int MostThreads = 4096;
    private const int HeadBytes = 24;
    private const int EntryBytes = 24;
    private const int MostDataBytes = 8 << 20;

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
        var parked = ReadParked(round);
        Threads = [.. (_reader.ReadThreads() ?? []).Select(tid => new HeldThread(tid, parked.GetValueOrDefault(tid)))];
        Notes = [.. Threads.Where(thread => thread.Registers is null)
            .Select(thread => $"registers of thread {thread.Tid} unknown: it ran on")];
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
    /// <param name="begin">Begins a round; tells its number, null when the process has ended.</param>
    /// <param name="parked">How many have parked.</param>
    /// <param name="release">Lets them go on.</param>
    /// <param name="patience">How long to wait for those that do not come.</param>
    /// <param name="problem">Why they do not; null on success.</param>
    public static ParkedProcess? TryPark(
        int pid, Func<uint?> begin, Func<uint> parked, Action<uint> release, TimeSpan patience, out string? problem)
    {
        // Whoever has not taken the signal would die of it, or take it for another's.
        problem = Refusal(pid);
        if (problem is not null || begin() is not { } round)
        {
            return null;
        }

        var called = new HashSet<int>();
        var watch = Stopwatch.StartNew();
        do
        {
            // Threads that are made meanwhile are found in the next round.
            foreach (var tid in (new ProcessReader(pid).ReadThreads() ?? []).Where(called.Add).ToList())
            {
                Libc.SignalThread(pid, tid, Signal);
            }
        }
        while (parked() < called.Count && watch.Elapsed < patience);

        var process = new ParkedProcess(pid, round, () => release(round));
        if (process._memory.CanReadAny(process.Mappings))
        {
            return process;
        }

        process.Dispose();
        problem = "its memory cannot be read any more";
        return null;
    }

    private static string? Refusal(int pid)
    {
        var reader = new ProcessReader(pid);
        using var memory = new ProcessMemory(pid);
        if (reader.ReadMappings() is not { Count: > 0 } mappings || !memory.CanReadAny(mappings))
        {
            return "ptrace is refused, and its memory cannot be read";
        }

        var isTaken = Lots(memory, mappings).Any(lot => BinaryPrimitives.ReadUInt64LittleEndian(lot.Span[8..]) == Signal);
        return isTaken ? null : $"ptrace is refused, and it makes use of signal {Signal} itself";
    }

    // The shim's lists: a mark, the signal, how many have ever parked, then thread, round, stack, thread pointer of each.
    private static IEnumerable<ReadOnlyMemory<byte>> Lots(ProcessMemory memory, IReadOnlyList<MemoryMapping> mappings)
    {
        foreach (var mapping in mappings.Where(mapping => mapping.IsWritable
            && mapping.Path.Contains("/libnativeheap.so", StringComparison.Ordinal)))
        {
            var data = new byte[Math.Min(mapping.Size, MostDataBytes)];
            var bytes = data.AsMemory(0, memory.Read(mapping.Start, data));
            if (bytes.Span.IndexOf("NHEAPPRK"u8) is >= 0 and var at && bytes.Length - at >= HeadBytes)
            {
                yield return bytes[at..];
            }
        }
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

    private Dictionary<int, ThreadRegisters> ReadParked(uint round)
    {
        var found = new Dictionary<int, ThreadRegisters>();
        foreach (var lot in Lots(_memory, Mappings))
        {
            for (var i = 0; i < MostThreads && HeadBytes + ((i + 1) * EntryBytes) <= lot.Length; i++)
            {
                var entry = lot.Span.Slice(HeadBytes + (i * EntryBytes), EntryBytes);
                if (BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) == round)
                {
                    var stack = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
                    var thread = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
                    var tid = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(entry), int.MaxValue);
                    found[tid] = new ThreadRegisters(stack, 0, thread, true, ReadOnlyMemory<ulong>.Empty);
                }
            }
        }

        return found;
    }
}
