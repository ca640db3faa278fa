using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <content>Snapshots.</content>
public sealed partial class Recording
{
    /// <summary>Most blocks that a snapshot lists one by one.</summary>
    public const int MostSnapshotBlocks = 8_000_000;

    private readonly HashSet<string> _snapshotNames = new(StringComparer.Ordinal);
    private int _snapshots;
    private int? _mostListed; // by the last snapshot, of a process; null: none
    private long _dueBlocks; // listed by snapshots that nobody asked for

    /// <summary>Marks this moment: what is alive in each process, and block by block when it was asked for.</summary>
    /// <param name="name">Null: it has its number only.</param>
    /// <param name="reason">A word of the schema.</param>
    /// <returns>The snapshot; null when the name is taken.</returns>
    public Snapshot? TakeSnapshot(string? name, string reason)
    {
        if (name is not null && !_snapshotNames.Add(name))
        {
            return null;
        }

        var rows = Measure(++_snapshots, name, reason, reason == "asked" ? MostSnapshotBlocks : null);
        Keep(rows);
        return rows.Snapshot;
    }

    /// <summary>What a snapshot without a name is to keep; nothing is written until <see cref="Keep"/>.</summary>
    /// <param name="reason">A word of the schema.</param>
    internal SnapshotRows MeasureSnapshot(string reason) => Measure(++_snapshots, null, reason, null);

    /// <summary>Takes a snapshot that was measured before, of this moment instead, and block by block as long as such
    /// snapshots have not listed more than <see cref="MostSnapshotBlocks"/> together. When another was taken meanwhile, both
    /// are kept: numbers rise with time.</summary>
    /// <param name="before">Not kept so far.</param>
    internal Snapshot TakeAgain(SnapshotRows before)
    {
        var number = before.Snapshot.Number;
        if (number < _snapshots)
        {
            Keep(before);
            number = ++_snapshots;
        }

        var most = MostSnapshotBlocks - _dueBlocks;
        var live = _drain.Processes.Where(process => !process.HasEnded).Sum(process => process.Heap.Blocks.Count);
        var rows = Measure(number, null, before.Snapshot.Reason, live <= most ? (int)most : null);
        _dueBlocks += rows.Blocks.Count;
        Keep(rows);
        return rows.Snapshot;
    }

    /// <summary>Whether the last snapshot lists every live block of a process.</summary>
    internal bool ListsBlocks(ProcessId process) =>
        KnowsBlocks(process) && _drain.Find(process) is { } tracked && tracked.Heap.Blocks.Count <= (_mostListed ?? -1);

    /// <summary>Puts a snapshot into the trace, once.</summary>
    internal void Keep(SnapshotRows rows) => _committer.Batch.Snapshots.Add(rows);

    // mostBlocks: of a process, that are listed one by one; null: none are.
    private SnapshotRows Measure(int number, string? name, string reason, int? mostBlocks)
    {
        DrainOnce();
        _mostListed = mostBlocks;
        var rows = new SnapshotRows(new Snapshot(number, name, reason, RelativeNs(_shared.ClockNs)));
        RefreshModules();
        foreach (var process in _drain.Processes.Where(process => !process.HasEnded))
        {
            if (process.Heap.Blocks.Count > mostBlocks)
            {
                Note(process.Id, $"snapshot {number} lists the first {mostBlocks} blocks only");
            }

            _filler.FillSnapshot(process, mostBlocks, rows);
        }

        return rows;
    }
}
