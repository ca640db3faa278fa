using System.Diagnostics;

namespace NativeHeap.Memory.Holding;

/// <summary>Reads the seccomp filters of a thread. The kernel shows them to whoever may do everything (CAP_SYS_ADMIN) and
/// is under no filter itself, and of a stopped thread: it is stopped for a moment.</summary>
public static class SeccompFilters
{
    private const int MostFilters = 64;
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    /// <summary>Reads them. Blocks for half a second at most; any thread.</summary>
    /// <param name="tid">A thread of another process.</param>
    /// <returns>Null when they cannot be read.</returns>
    public static IReadOnlyList<SeccompFilter>? Read(int tid)
    {
        IReadOnlyList<SeccompFilter>? filters = null;
        // Requests of ptrace come from one thread, with whose end what it traces is let go.
        var thread = new Thread(() =>
        {
            using var wake = new WakeSignal();
            wake.TakeThread();
            wake.SetAlarm(true);
            filters = ReadStopped(tid);
        })
        {
            IsBackground = true,
            Name = "seccomp",
        };
        thread.Start();
        thread.Join();
        return filters;
    }

    private static List<SeccompFilter>? ReadStopped(int tid)
    {
        if (!Ptrace.Seize(tid, 0) || !Ptrace.Interrupt(tid))
        {
            return null;
        }
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var stopped = Ptrace.Wait(out var status);
            if (stopped == tid && (status & 0xFF) == 0x7F)
            {
                var filters = ReadAll(tid);
                Ptrace.Detach(tid, status >> 16 == 0 ? (status >> 8) & 0xFF : 0); // a signal that was on its way goes on
                return filters;
            }
            if ((stopped < 0 && Ptrace.Error != Ptrace.Eintr) || stopped == tid || clock.Elapsed > s_patience)
            {
                return null; // it has ended, or is deep in the kernel: it is let go when this thread ends
            }
        }
    }

    private static List<SeccompFilter>? ReadAll(int tid)
    {
        var filters = new List<SeccompFilter>();
        for (var i = 0; i < MostFilters; i++)
        {
            if (Ptrace.SeccompProgram(tid, i, out var isLast) is { } program)
            {
                filters.Add(new SeccompFilter(program));
            }
            else
            {
                return isLast ? filters : null;
            }
        }
        return null;
    }
}
