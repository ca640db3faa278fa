using System.Buffers.Binary;
using System.Diagnostics;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Checks;

/// <summary>
/// The threads of a process that have parked in a signal handler of the shim. A thread's registers lie in the signal's
/// frame on its stack. Threads that have the signal blocked, or are deep in the kernel, do not come, and run on.
/// </summary>
internal static class ParkedThreads
{
    private const int MostThreads = 4096;
    private const int HeadBytes = 24;
    private const int EntryBytes = 24;

    private const ulong SignalBit = 1UL << (ThreadParking.Signal - 1);

    /// <summary>Sends the signal to every thread that takes it, and waits until they have parked.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="parking">A round has begun.</param>
    /// <param name="patience">How long to wait for those that do not come, or have the signal blocked.</param>
    /// <returns>False when it could be sent to none.</returns>
    public static bool Call(int pid, ThreadParking parking, TimeSpan patience)
    {
        var process = new ProcessReader(pid);
        var called = new HashSet<int>();
        var watch = Stopwatch.StartNew();
        bool isAnyMissing;
        do
        {
            // Threads that are made meanwhile are found the next time.
            var threads = process.ReadThreads() ?? [];
            foreach (var tid in threads.Where(tid => !called.Contains(tid)).ToList())
            {
                if (TrySignal(process, tid))
                {
                    called.Add(tid);
                }
            }

            isAnyMissing = parking.Parked < called.Count || threads.Any(tid => !called.Contains(tid));
        }
        while (isAnyMissing && parking.IsPossible && IsCaught(process.ReadStatus()) && watch.Elapsed < patience);

        return called.Count > 0;
    }

    /// <summary>Sends the signal to a thread, if its process has a handler for it and the thread would run that at once: a program
    /// that has taken the signal for itself is not disturbed by ours, and one that has executed another does not die of it.</summary>
    public static bool TrySignal(ProcessReader process, int tid)
    {
        var isReady = process.ReadThreadStatus(tid) is { } status && IsCaught(status)
            && (status.BlockedSignals & SignalBit) == 0;
        if (isReady)
        {
            Libc.SignalThread(process.Pid, tid, ThreadParking.Signal);
        }

        return isReady;
    }

    /// <summary>A process's threads; registers are null of those that ran on.</summary>
    /// <param name="threads">In our pid namespace.</param>
    /// <param name="memory">The process's, or a copy's.</param>
    /// <param name="mappings">Of the same.</param>
    /// <param name="round">In which they parked.</param>
    public static IReadOnlyList<HeldThread> Read(
        IReadOnlyList<int> threads, IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings, uint round)
    {
        var parked = new Dictionary<int, ThreadRegisters>();
        foreach (var lot in ShimMemory.Marked(memory, mappings, "NHEAPPRK"u8.ToArray(), HeadBytes))
        {
            for (var i = 0; i < MostThreads && HeadBytes + ((i + 1) * EntryBytes) <= lot.Length; i++)
            {
                // After the mark, the signal and how many have ever parked: thread, round, stack, thread pointer of each.
                var entry = lot.Span.Slice(HeadBytes + (i * EntryBytes), EntryBytes);
                if (BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) == round)
                {
                    var stack = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
                    var thread = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
                    var tid = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(entry), int.MaxValue);
                    parked[tid] = new ThreadRegisters(stack, 0, thread, true, ReadOnlyMemory<ulong>.Empty);
                }
            }
        }

        return [.. threads.Select(tid => new HeldThread(tid, parked.GetValueOrDefault(tid)))];
    }

    /// <summary>What is not known of threads, for a person.</summary>
    public static IReadOnlyList<string> Notes(IReadOnlyList<HeldThread> threads) =>
        [.. threads.Where(thread => thread.Registers is null)
            .Select(thread => $"registers of thread {thread.Tid} unknown: it ran on")];

    private static bool IsCaught(ProcessStatus? status) => (status?.CaughtSignals & SignalBit) is > 0;
}
