using NativeHeap.Trace;

namespace NativeHeap.Present.Exports;

/// <summary>The relations of a Parquet export that hold figures.</summary>
/// <param name="trace">The trace.</param>
/// <param name="begin">Begins a relation.</param>
internal sealed class ParquetCosts(TraceReader trace, ParquetCosts.Begin begin)
{
    /// <summary>Begins a relation.</summary>
    public delegate ParquetTable Begin(string relation, params ParquetColumn[] columns);

    /// <summary>Writes all of them.</summary>
    public void WriteAll()
    {
        Write(
            "stack_total",
            trace.StackTotals(),
            ("process_id", row => row.Process.Value),
            ("stack_id", row => row.Stack.Value),
            ("allocations", row => row.Allocations),
            ("allocated_bytes", row => row.AllocatedBytes),
            ("frees", row => row.Frees),
            ("freed_bytes", row => row.FreedBytes),
            ("temporary", row => row.Temporary),
            ("temporary_bytes", row => row.TemporaryBytes),
            ("peak_blocks", row => row.PeakBlocks),
            ("peak_bytes", row => row.PeakBytes),
            ("process_peak_blocks", row => row.ProcessPeakBlocks),
            ("process_peak_bytes", row => row.ProcessPeakBytes));
        WriteShares();
        Write(
            "cohort",
            trace.Cohorts(),
            ("process_id", row => row.Process.Value),
            ("stack_id", row => row.Stack.Value),
            ("birth", row => row.Birth),
            ("death", row => row.Death),
            ("blocks", row => row.Blocks),
            ("bytes", row => row.Bytes));
        foreach (var (relation, kind) in new[] { ("size", HistogramKind.Size), ("lifetime", HistogramKind.Lifetime) })
        {
            Write(
                relation,
                trace.Histogram(kind),
                ("process_id", row => row.Process.Value),
                ("stack_id", row => row.Stack.Value),
                ("bucket", row => row.Bucket),
                ("blocks", row => row.Blocks),
                ("bytes", row => row.Bytes));
        }

        WriteOverTime();
        WriteSnapshots();
    }

    private void Write<T>(string relation, IEnumerable<T> rows, params (string Name, Func<T, long> Of)[] columns)
    {
        var numbers = Array.ConvertAll(columns, column => new NumberColumn(column.Name));
        var table = begin(relation, [.. numbers]);
        foreach (var row in rows)
        {
            for (var i = 0; i < numbers.Length; i++)
            {
                numbers[i].Add(columns[i].Of(row));
            }

            table.EndRow();
        }
    }

    // Stacks of one thread and of several together: their shares add up to stack_total.
    private void WriteShares()
    {
        if (trace.HasThreadShares)
        {
            Write(
                "thread_total",
                trace.StackTotals().Where(row => row.Thread is not null)
                    .Select(row => new ThreadShareRow(
                        row.Thread!.Value, row.Stack, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes))
                    .Concat(trace.ThreadShares()),
                ("thread_id", row => row.Thread),
                ("stack_id", row => row.Stack.Value),
                ("allocations", row => row.Allocations),
                ("allocated_bytes", row => row.AllocatedBytes),
                ("frees", row => row.Frees),
                ("freed_bytes", row => row.FreedBytes));
        }
    }

    private void WriteOverTime()
    {
        NumberColumn process = new("process_id"), time = new("time_ns"), blocks = new("live_blocks"), bytes = new("live_bytes");
        NumberColumn peak = new("live_peak_bytes"), allocations = new("allocations"), allocated = new("allocated_bytes");
        OptionalColumn rss = new("rss_bytes");
        var table = begin("timeline", process, time, blocks, bytes, peak, allocations, allocated, rss);
        foreach (var row in trace.Timeline())
        {
            process.Add(row.Process.Value);
            time.Add(row.TimeNs);
            blocks.Add(row.LiveBlocks);
            bytes.Add(row.LiveBytes);
            peak.Add(row.LivePeakBytes);
            allocations.Add(row.Allocations);
            allocated.Add(row.AllocatedBytes);
            rss.Add(row.RssBytes);
            table.EndRow();
        }

        NumberColumn owner = new("process_id"), look = new("time_ns"), size = new("bytes");
        TextColumn part = new("part");
        var ledger = begin("ledger", owner, look, part, size);
        foreach (var row in trace.LedgerRows())
        {
            owner.Add(row.Process.Value);
            look.Add(row.TimeNs);
            part.Add(row.Part);
            size.Add(row.Bytes);
            ledger.EndRow();
        }
    }

    private void WriteSnapshots()
    {
        NumberColumn id = new("snapshot_id"), time = new("time_ns");
        TextColumn name = new("name"), reason = new("reason");
        var table = begin("snapshot", id, name, reason, time);
        var snapshots = trace.Snapshots();
        foreach (var snapshot in snapshots)
        {
            id.Add(snapshot.Number);
            name.Add(snapshot.Name);
            reason.Add(snapshot.Reason);
            time.Add(snapshot.TimeNs);
            table.EndRow();
        }

        Write(
            "snapshot_total",
            snapshots.SelectMany(snapshot => trace.SnapshotTotals(snapshot).Select(row => (snapshot.Number, Row: row))),
            ("snapshot_id", item => item.Number),
            ("process_id", item => item.Row.Process.Value),
            ("stack_id", item => item.Row.Stack.Value),
            ("blocks", item => item.Row.Blocks),
            ("bytes", item => item.Row.Bytes));
    }
}
