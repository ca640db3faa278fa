using NativeHeap.Graph.Objects;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>What a snapshot keeps of a process's heap: its live blocks with their stacks, and how many objects of which
/// types it had. Not for several threads.</summary>
public sealed class SnapshotHeap
{
    private readonly TraceReader _trace;
    private readonly Func<MergedTree> _tree;
    private readonly Dictionary<ulong, BlockRow> _rows = [];

    private SnapshotHeap(TraceReader trace, Func<MergedTree> tree, Snapshot snapshot, ProcessInfo process)
    {
        _trace = trace;
        _tree = tree;
        Snapshot = snapshot;
        Process = process;
    }

    /// <summary>The snapshot.</summary>
    public Snapshot Snapshot { get; }

    /// <summary>The process.</summary>
    public ProcessInfo Process { get; }

    /// <summary>Objects and blocks by type; null when the process could not be held to count them.</summary>
    public IReadOnlyList<TypeCount>? Types()
    {
        var types = _trace.SnapshotTypes(Snapshot).Where(row => row.Process == Process.Id).Select(row => row.Type).ToList();
        return types.Count > 0 ? types : null;
    }

    /// <summary>Its blocks; the numbers of their stacks are the trace's.</summary>
    /// <returns>The caller's; by rising address.</returns>
    public HeapBlocks Blocks()
    {
        var blocks = new HeapBlocks();
        foreach (var row in _trace.Blocks(Snapshot, Process.Id))
        {
            blocks.Add(row.Address, (ulong)row.Bytes, row.Stack.Value);
            _rows[row.Address] = row;
        }

        return blocks;
    }

    /// <summary>Its blocks as instances of nothing in particular.</summary>
    public IReadOnlyList<ObjectInstance> Instances()
    {
        var instances = new List<ObjectInstance>();
        foreach (var row in _trace.Blocks(Snapshot, Process.Id))
        {
            instances.Add(new ObjectInstance(HeapGraph.NoNode, row.Address, row.Bytes, row.Stack.Value));
            _rows[row.Address] = row;
        }

        return instances;
    }

    /// <summary>Who allocated a block; null when nobody knows.</summary>
    /// <param name="stack">The number of its stack.</param>
    public CallStack? StackOf(int stack) =>
        stack >= 1 && stack <= _trace.Stacks.Count ? _tree().StackOf(_tree().NodeOf(new StackId(stack))) : null;

    /// <summary>How long a block had lived at the snapshot, nanoseconds; null when it is none of <see cref="Blocks"/>.</summary>
    public long? AgeOf(ulong address) =>
        _rows.TryGetValue(address, out var row) ? Math.Max(0, Snapshot.TimeNs - row.BirthNs) : null;

    internal static SnapshotHeap Find(TraceReader trace, Func<MergedTree> tree, Snapshot snapshot, int? pid)
    {
        var process = pid is null
            ? Known(trace.SnapshotTypes(snapshot).Select(row => row.Process))
                ?? Known(trace.SnapshotTotals(snapshot).Select(row => row.Process))
            : trace.Processes.LastOrDefault(process => process.Pid == pid); // of an exec's images the last one lives
        return process is null
            ? throw new ToolException(
                $"snapshot {snapshot.Name ?? $"{snapshot.Number}"} of {trace.Path} knows no process{(pid is null ? "" : $" {pid}")}",
                ExitCodes.Input)
            : new SnapshotHeap(trace, tree, snapshot, process);

        ProcessInfo? Known(IEnumerable<ProcessId> ids) =>
            ids.Distinct().OrderBy(id => id.Value).Select(id => trace.Processes[id.Value - 1]).FirstOrDefault();
    }
}
