using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>What one thread allocated, and what of it was alive at its process's end.</summary>
/// <param name="Thread">The thread.</param>
/// <param name="Process">Its process.</param>
/// <param name="AllocatedBytes">Allocated ever.</param>
/// <param name="Allocations">Allocated ever, in blocks.</param>
/// <param name="LiveBytes">Alive, whichever thread would have freed it.</param>
/// <param name="LiveBlocks">Alive.</param>
public sealed record ThreadCost(
    ThreadRow Thread, ProcessInfo Process, long AllocatedBytes, long Allocations, long LiveBytes, long LiveBlocks);

/// <summary>Adds up by thread.</summary>
internal static class ThreadCosts
{
    /// <summary>The threads, those that have most alive first.</summary>
    public static IReadOnlyList<ThreadCost> Of(TraceReader trace, ProcessSelection processes)
    {
        var freed = new Dictionary<int, (long Bytes, long Blocks)>();
        foreach (var row in trace.StackTotals().Where(row => row.Thread is not null))
        {
            Add(freed, row.Thread!.Value, row.FreedBytes, row.Frees);
        }

        foreach (var row in trace.ThreadShares())
        {
            Add(freed, row.Thread, row.FreedBytes, row.Frees);
        }

        return
        [
            .. trace.Threads()
                .Where(thread => processes.Contains(thread.Process))
                .Select(thread => (Thread: thread, Freed: freed.GetValueOrDefault(thread.Id)))
                .Select(item => new ThreadCost(
                    item.Thread,
                    trace.Processes[item.Thread.Process.Value - 1],
                    item.Thread.AllocatedBytes,
                    item.Thread.Allocations,
                    item.Thread.AllocatedBytes - item.Freed.Bytes,
                    item.Thread.Allocations - item.Freed.Blocks))
                .OrderByDescending(cost => cost.LiveBytes)
                .ThenByDescending(cost => cost.AllocatedBytes)
                .ThenBy(cost => cost.Thread.Id),
        ];
    }

    private static void Add(Dictionary<int, (long Bytes, long Blocks)> sums, int thread, long bytes, long blocks)
    {
        var sum = sums.GetValueOrDefault(thread);
        sums[thread] = checked((sum.Bytes + bytes, sum.Blocks + blocks));
    }
}
