namespace NativeHeap.Trace;

/// <content>Mappings, which older traces have not.</content>
public sealed partial class TraceReader
{
    /// <summary>What each stack mapped in each process; empty where that was not recorded.</summary>
    public IEnumerable<MappedTotalRow> MappedTotals()
    {
        const string Columns =
            "process_id, stack_id, mappings, mapped_bytes, unmappings, unmapped_bytes, peak_mappings, peak_bytes";
        var order = default(KeyOrder);
        using var row = _version < SchemaCheck.MappingsSince ? null : new Statement(_database, "mapped_total", Columns);
        while (row?.Next() == true)
        {
            var (process, stack) = (ProcessOf(row, 0), StackOf(row, 1));
            order.Next(row, process.Value, stack.Value);
            var (mappings, bytes) = (row.Count(2), row.Count(3));
            yield return new MappedTotalRow(
                process, stack, mappings, bytes, row.Long(4, 0, mappings), row.Long(5, 0, bytes), row.Long(6, 0, mappings),
                row.Long(7, 0, bytes));
        }
    }

    /// <summary>When each process that mapped anything had most mapped, by process.</summary>
    public IEnumerable<MappedPeakRow> MappedPeaks()
    {
        using var row = _version < SchemaCheck.MappingsSince ? null : new Statement(
            _database, "mapped_peak", "process_id, mappings, bytes, time_ns", "ORDER BY process_id");
        while (row?.Next() == true)
        {
            yield return new MappedPeakRow(ProcessOf(row, 0), row.Count(1), row.Count(2), row.Long(3, 0, Limits.TimeNs));
        }
    }

    /// <summary>What was mapped at a snapshot, mappings being its blocks; empty where that was not recorded.</summary>
    public IEnumerable<SnapshotRow> SnapshotMapped(Snapshot snapshot) =>
        _version < SchemaCheck.MappingsSince ? [] : SnapshotRows(snapshot, "snapshot_mapped", "mappings");
}
