using System.Runtime.InteropServices;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>What one thread of one process allocated by a stack, and kept.</summary>
/// <param name="Node">Its node in <see cref="Profile.Stacks"/>.</param>
/// <param name="Process">The process.</param>
/// <param name="Thread">The thread; null: the trace is older than shares of threads.</param>
/// <param name="AllocatedBytes">Allocated ever.</param>
/// <param name="Allocations">Allocated ever, in blocks.</param>
/// <param name="LiveBytes">Alive at the process's end.</param>
/// <param name="LiveBlocks">Alive at the process's end.</param>
/// <param name="MeanLifetimeNs">
/// About how long blocks of the stack lived that were freed, whichever thread's: lifetimes are kept by power of two, and
/// the middle of each stands for all in it. Null: none was freed.
/// </param>
public sealed record SampleUsage(
    int Node,
    ProcessInfo Process,
    ThreadRow? Thread,
    long AllocatedBytes,
    long Allocations,
    long LiveBytes,
    long LiveBlocks,
    long? MeanLifetimeNs);

/// <summary>Adds up what stacks cost by process and thread.</summary>
internal sealed class SampleTable(TraceReader trace, MergedTree tree, ProcessSelection processes)
{
    private readonly List<Share> _shares = [];
    private readonly List<ThreadRow> _threads = [.. trace.Threads()];

    /// <summary>The rows, by process, stack and thread. Made as they are enumerated.</summary>
    /// <exception cref="OverflowException">No 64-bit number holds a sum.</exception>
    public IReadOnlyList<SampleUsage> Build()
    {
        foreach (var row in trace.StackTotals())
        {
            if (processes.Contains(row.Process))
            {
                Add(row.Process, row.Stack, row.Thread ?? 0, row.AllocatedBytes, row.Allocations, row.FreedBytes, row.Frees);
            }
        }

        // Where several threads allocated, their shares are no part of what nobody is known to have allocated.
        foreach (var row in trace.ThreadShares())
        {
            var process = ThreadOf(row.Thread).Process;
            if (processes.Contains(process))
            {
                Add(process, row.Stack, row.Thread, row.AllocatedBytes, row.Allocations, row.FreedBytes, row.Frees);
                Add(process, row.Stack, 0, -row.AllocatedBytes, -row.Allocations, -row.FreedBytes, -row.Frees);
            }
        }

        AddUp();
        var lifetimes = Lifetimes();
        return new LazyList<SampleUsage>(_shares.Count, i =>
        {
            var sum = _shares[i];
            var lived = lifetimes[sum.Node];
            return new SampleUsage(
                sum.Node,
                trace.Processes[sum.Process - 1],
                sum.Thread == 0 ? null : ThreadOf(sum.Thread),
                sum.Bytes,
                sum.Blocks,
                sum.Bytes - sum.FreedBytes,
                sum.Blocks - sum.Frees,
                lived.Blocks == 0 ? null : (long)Math.Min(lived.Ns / lived.Blocks, long.MaxValue / 2));
        });
    }

    private void Add(ProcessId process, StackId stack, int thread, long bytes, long blocks, long freedBytes, long frees) =>
        _shares.Add(new Share(process.Value, tree.NodeOf(stack), thread, bytes, blocks, freedBytes, frees));

    // By sorting, since a table of a hundred thousand keys costs several times as much.
    private void AddUp()
    {
        var shares = CollectionsMarshal.AsSpan(_shares);
        shares.Sort(default(KeyOrder));
        var sums = 0;
        for (var i = 0; i < shares.Length;)
        {
            var sum = shares[i++];
            while (i < shares.Length && default(KeyOrder).Compare(shares[i], sum) == 0)
            {
                sum = sum.Plus(shares[i++]);
            }

            if (sum is not { Bytes: 0, Blocks: 0, FreedBytes: 0, Frees: 0 })
            {
                shares[sums++] = sum; // it was read before
            }
        }

        _shares.RemoveRange(sums, _shares.Count - sums);
    }

    private ThreadRow ThreadOf(int row) => row <= _threads.Count
        ? _threads[row - 1]
        : throw new TraceException(trace.Path, $"damaged (a stack is of thread {row}, which it has not)");

    // By node: how long blocks lived that were freed, taken together.
    private (double Ns, long Blocks)[] Lifetimes()
    {
        var sums = new (double Ns, long Blocks)[tree.Count];
        foreach (var row in trace.Histogram(HistogramKind.Lifetime))
        {
            if (processes.Contains(row.Process))
            {
                ref var sum = ref sums[tree.NodeOf(row.Stack)];
                var middle = row.Bucket == 0 ? 0 : Math.ScaleB(1.5, row.Bucket - 1) * 1000; // of 2^(b-1) to 2^b microseconds
                sum = (sum.Ns + (row.Blocks * middle), checked(sum.Blocks + row.Blocks));
            }
        }

        return sums;
    }

    /// <summary>A part of what a thread (0: nobody knows which) of a process allocated by a stack.</summary>
    private readonly record struct Share(
        int Process, int Node, int Thread, long Bytes, long Blocks, long FreedBytes, long Frees)
    {
        public Share Plus(Share other) => checked(this with
        {
            Bytes = Bytes + other.Bytes,
            Blocks = Blocks + other.Blocks,
            FreedBytes = FreedBytes + other.FreedBytes,
            Frees = Frees + other.Frees,
        });
    }

    private readonly struct KeyOrder : IComparer<Share>
    {
        public int Compare(Share x, Share y) =>
            x.Process != y.Process ? x.Process.CompareTo(y.Process)
            : x.Node != y.Node ? x.Node.CompareTo(y.Node)
            : x.Thread.CompareTo(y.Thread);
    }
}
