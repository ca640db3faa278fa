using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>What a snapshot keeps.</summary>
/// <param name="Snapshot">The snapshot.</param>
internal sealed record SnapshotRows(Snapshot Snapshot)
{
    /// <summary>What was alive, per process and stack.</summary>
    public List<SnapshotRow> Totals { get; } = [];

    /// <summary>What was mapped, per process and stack; mappings are its blocks.</summary>
    public List<SnapshotRow> Mapped { get; } = [];

    /// <summary>What was alive, block by block; empty where that was not asked for.</summary>
    public List<BlockRow> Blocks { get; } = [];
}
