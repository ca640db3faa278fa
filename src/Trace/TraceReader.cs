using NativeHeap.Model;
using NativeHeap.Trace.Packing;

namespace NativeHeap.Trace;

/// <summary>
/// Reads one trace, as of the moment it was opened, also while it is being written. Its content is not trusted: every
/// method throws <see cref="TraceException"/> for what no recording writes. Rows are read when they are enumerated. Not
/// for several threads.
/// </summary>
public sealed partial class TraceReader : IDisposable
{
    private readonly TraceDatabase _database;
    private readonly long _version;
    private LocationTable? _locations;
    private StackTable? _stacks;

    private TraceReader(TraceDatabase database)
    {
        _database = database;
        _version = SchemaCheck.Verify(database);
        Info = MetaTable.Read(database);
        LastNs = Info.EndNs ?? FindLastMoment();
        Processes = ProcessTable.Read(database, LastNs, _version);
        if (Processes.Count == 0)
        {
            throw new TraceException(Path, "holds no process: the recording broke off before it began");
        }
    }

    /// <summary>The file, as the user named it.</summary>
    public string Path => _database.Path;

    /// <summary>What the trace says about itself.</summary>
    public TraceInfo Info { get; }

    /// <summary>The last moment known, in nanoseconds since the trace's start.</summary>
    public long LastNs { get; }

    /// <summary>Its process images; the first is the one that was started. Never empty.</summary>
    public IReadOnlyList<ProcessInfo> Processes { get; }

    /// <summary>The places in code and their names; read once.</summary>
    public LocationTable Locations => _locations ??= LocationTable.Read(_database);

    /// <summary>The calling-context tree; read once.</summary>
    public StackTable Stacks => _stacks ??= ReadStacks(Locations.Count);

    /// <summary>Opens a trace.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="TraceException">There is none, it is none, or it cannot be read.</exception>
    public static TraceReader Open(string path)
    {
        var database = TraceDatabase.Open(path);
        try
        {
            return new TraceReader(database);
        }
        catch (TraceException)
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>The places that no native module covers, by location.</summary>
    public IEnumerable<CodeRow> Code()
    {
        var order = default(KeyOrder);
        using var row = new Statement(
            _database, "code", "location_id, process_id, address, epoch, seen_ns, method_id, il_offset");
        while (row.Next())
        {
            var location = row.Int(0, 1, Locations.Count);
            order.Next(row, location);
            yield return new CodeRow(
                new LocationId(location),
                ProcessOf(row, 1),
                row.Address(2),
                row.Int(3, 0, int.MaxValue),
                row.Long(4, 0, Limits.TimeNs),
                row.IntOrNull(5, 1, Limits.Rows),
                row.IntOrNull(6, 0, int.MaxValue));
        }
    }

    /// <summary>The code of .NET methods, by id.</summary>
    public IEnumerable<MethodRow> Methods()
    {
        const string Columns =
            "id, process_id, module_id, token, type, name, signature, tier, start_address, size, load_ns, unload_ns";
        var id = 0;
        using var row = new Statement(_database, "method", Columns);
        while (row.Next())
        {
            row.Int(0, ++id, id);
            yield return new MethodRow(
                id,
                ProcessOf(row, 1),
                row.IntOrNull(2, 1, Locations.ModuleCount),
                row.IntOrNull(3, 0, int.MaxValue),
                row.Text(4),
                row.Text(5),
                row.Text(6),
                row.Text(7),
                row.Address(8),
                row.LongOrNull(9, 0, uint.MaxValue),
                row.LongOrNull(10, 0, Limits.TimeNs),
                row.LongOrNull(11, 0, Limits.TimeNs));
        }
    }

    /// <summary>What each stack cost in each process.</summary>
    public IEnumerable<StackTotalRow> StackTotals()
    {
        var order = default(KeyOrder);
        using var row = Rows(PackedTable.StackTotal);
        while (row.Next())
        {
            var process = ProcessOf(row, 0);
            var stack = StackOf(row, 1);
            order.Next(row, process.Value, stack.Value);
            var allocations = row.Count(2);
            var bytes = row.Count(3);
            yield return new StackTotalRow(
                process,
                stack,
                allocations,
                bytes,
                row.Long(4, 0, allocations),
                row.Long(5, 0, bytes),
                row.Long(6, 0, allocations),
                row.Long(7, 0, bytes),
                row.Long(8, 0, allocations),
                row.Long(9, 0, bytes),
                row.Long(10, 0, allocations),
                row.Long(11, 0, bytes),
                row.IntOrNull(12, 1, Limits.Rows));
        }
    }

    /// <summary>Whether the trace says which threads allocated by a stack; older ones do not.</summary>
    public bool HasThreadShares => _version >= 2;

    /// <summary>The threads, by id.</summary>
    public IEnumerable<ThreadRow> Threads()
    {
        var id = 0;
        using var row = new Statement(
            _database, "thread", "id, process_id, tid, name, start_ns, allocations, allocated_bytes");
        while (row.Next())
        {
            row.Int(0, ++id, id);
            yield return new ThreadRow(
                id,
                ProcessOf(row, 1),
                row.Int(2, 0, int.MaxValue),
                row.TextOrNull(3),
                row.Long(4, 0, Limits.TimeNs),
                row.Count(5),
                row.Count(6));
        }
    }

    /// <summary>The shares of threads in stacks that several allocated by, by thread and stack.</summary>
    public IEnumerable<ThreadShareRow> ThreadShares()
    {
        if (!HasThreadShares)
        {
            yield break;
        }

        var order = default(KeyOrder);
        using var row = Rows(PackedTable.ThreadTotal);
        while (row.Next())
        {
            var thread = row.Int(0, 1, Limits.Rows);
            var stack = StackOf(row, 1);
            order.Next(row, thread, stack.Value);
            var allocations = row.Count(2);
            var bytes = row.Count(3);
            yield return new ThreadShareRow(
                thread, stack, allocations, bytes, row.Long(4, 0, allocations), row.Long(5, 0, bytes));
        }
    }

    /// <summary>Blocks by stack, birth and death, in that order within each process.</summary>
    public IEnumerable<CohortRow> Cohorts()
    {
        var order = default(KeyOrder);
        using var row = Rows(PackedTable.Cohort);
        while (row.Next())
        {
            var cohort = new CohortRow(
                ProcessOf(row, 0),
                StackOf(row, 1),
                row.Int(2, 0, CohortRow.MaxBucket),
                row.Int(3, CohortRow.NeverFreed, CohortRow.MaxBucket),
                row.Count(4),
                row.Count(5));
            order.Next(row, cohort.Process.Value, cohort.Stack.Value, cohort.Birth, cohort.Death);
            if (cohort.Death != CohortRow.NeverFreed && cohort.Death < cohort.Birth)
            {
                throw row.Damaged(3, "before birth");
            }

            yield return cohort;
        }
    }

    /// <summary>The snapshots, by number.</summary>
    public IReadOnlyList<Snapshot> Snapshots()
    {
        var snapshots = new List<Snapshot>();
        var order = default(KeyOrder);
        using var row = new Statement(_database, "snapshot", "id, name, reason, time_ns");
        while (row.Next())
        {
            var number = row.Int(0, 1, Limits.Rows);
            order.Next(row, number);
            snapshots.Add(new Snapshot(number, row.TextOrNull(1), row.Text(2), row.Long(3, 0, Limits.TimeNs)));
        }

        return snapshots;
    }

    /// <summary>The heap-checks, by number; without what they found.</summary>
    public IReadOnlyList<LeakCheckRow> LeakChecks()
    {
        if (_version < 2)
        {
            return [];
        }

        var checks = new List<LeakCheckRow>();
        var order = default(KeyOrder);
        using var row = new Statement(
            _database,
            "leak_check",
            "id, process_id, time_ns, level, held_ns, complete, "
            + (_version < SchemaCheck.SuppressionsSince ? "NULL" : "suppressions"));
        while (row.Next())
        {
            var number = row.Int(0, 1, Limits.Rows);
            order.Next(row, number);
            checks.Add(new LeakCheckRow(
                number,
                ProcessOf(row, 1),
                row.Long(2, 0, Limits.TimeNs),
                row.Text(3),
                row.Long(4, 0, Limits.TimeNs),
                row.Int(5, 0, 1) == 1,
                ReadOnlyMemory<byte>.Empty)
            {
                Suppressions = row.TextOrNull(6),
            });
        }

        return checks;
    }

    /// <summary>What a heap-check found.</summary>
    public ReadOnlyMemory<byte> LeakGraph(int check)
    {
        var graph = new MemoryStream();
        var order = default(KeyOrder);
        using var row = new Statement(_database, "leak_graph", "part, data", "WHERE check_id = ?1 ORDER BY part");
        row.Bind(1, check);
        while (row.Next())
        {
            order.Next(row, row.Int(0, 0, Limits.Rows));
            graph.Write(row.Blob(1));
            if (graph.Length > Limits.LeakGraphBytes)
            {
                throw row.Damaged(1, "too long");
            }
        }

        return graph.GetBuffer().AsMemory(0, (int)graph.Length);
    }

    /// <summary>What was alive at a snapshot.</summary>
    public IEnumerable<SnapshotRow> SnapshotTotals(Snapshot snapshot) => SnapshotRows(snapshot, "snapshot_total", "blocks");

    private IEnumerable<SnapshotRow> SnapshotRows(Snapshot snapshot, string table, string blocks)
    {
        var order = default(KeyOrder);
        using var row = new Statement(_database, table, $"process_id, stack_id, {blocks}, bytes", "WHERE snapshot_id = ?1");
        row.Bind(1, snapshot.Number);
        while (row.Next())
        {
            var total = new SnapshotRow(ProcessOf(row, 0), StackOf(row, 1), row.Count(2), row.Count(3));
            order.Next(row, total.Process.Value, total.Stack.Value);
            yield return total;
        }
    }

    /// <summary>Objects and blocks by type at a snapshot, process by process; empty where nobody counted them.</summary>
    public IEnumerable<(ProcessId Process, TypeCount Type)> SnapshotTypes(Snapshot snapshot)
    {
        if (_version < 2)
        {
            yield break;
        }

        using var row = new Statement(
            _database, "snapshot_type", "process_id, type, kind, found_by, count, bytes", "WHERE snapshot_id = ?1");
        row.Bind(1, snapshot.Number);
        while (row.Next())
        {
            var kind = ObjectKinds.Parse(row.Text(2)) ?? throw row.Damaged(2, "no kind of objects");
            yield return (ProcessOf(row, 0), new TypeCount(row.Text(1), kind, row.Text(3), row.Count(4), row.Count(5)));
        }
    }

    /// <summary>The blocks of a process at a snapshot that was asked for, by rising address; empty for others.</summary>
    public IEnumerable<BlockRow> Blocks(Snapshot snapshot, ProcessId process)
    {
        using var row = new Statement(
            _database,
            "block",
            "process_id, address, bytes, stack_id, thread_id, birth_ns",
            "WHERE snapshot_id = ?1 AND process_id = ?2 ORDER BY address");
        row.Bind(1, snapshot.Number);
        row.Bind(2, process.Value);
        while (row.Next())
        {
            yield return new BlockRow(
                ProcessOf(row, 0),
                row.Address(1),
                row.Count(2),
                StackOf(row, 3),
                row.IntOrNull(4, 1, Limits.Rows),
                row.Long(5, 0, Limits.TimeNs));
        }
    }

    /// <summary>The states of each process over time, process by process.</summary>
    public IEnumerable<TimelineRow> Timeline()
    {
        const string Columns =
            "process_id, time_ns, live_blocks, live_bytes, live_peak_bytes, allocations, allocated_bytes, rss_bytes";
        var order = default(KeyOrder);
        using var row = new Statement(_database, "timeline", Columns);
        while (row.Next())
        {
            var state = new TimelineRow(
                ProcessOf(row, 0),
                row.Long(1, 0, Limits.TimeNs),
                row.Count(2),
                row.Count(3),
                row.Count(4),
                row.Count(5),
                row.Count(6),
                row.IsNull(7) ? null : row.Count(7));
            order.Next(row, state.Process.Value, state.TimeNs);
            yield return state;
        }
    }

    /// <summary>A histogram, by process, stack and bucket.</summary>
    public IEnumerable<HistogramRow> Histogram(HistogramKind kind)
    {
        var order = default(KeyOrder);
        using var row = Rows(kind == HistogramKind.Size ? PackedTable.Sizes : PackedTable.Lifetimes);
        while (row.Next())
        {
            var bucket = new HistogramRow(
                ProcessOf(row, 0), StackOf(row, 1), row.Int(2, 0, 64), row.Count(3), row.Count(4));
            order.Next(row, bucket.Process.Value, bucket.Stack.Value, bucket.Bucket);
            yield return bucket;
        }
    }

    /// <summary>Where resident memory was at every look, part by part, by process and time.</summary>
    public IEnumerable<LedgerRow> LedgerRows()
    {
        using var row = new Statement(
            _database, "ledger", "process_id, time_ns, part, bytes", "ORDER BY process_id, time_ns, part");
        while (row.Next())
        {
            yield return new LedgerRow(
                ProcessOf(row, 0), row.Long(1, 0, Limits.TimeNs), row.Text(2), row.Long(3, -Limits.TimeNs, Limits.TimeNs));
        }
    }

    /// <summary>Figures beside the ledgers, by process and time.</summary>
    public IEnumerable<(ProcessId Process, LedgerGauge Gauge)> LedgerGauges()
    {
        using var row = _version < 3 ? null : new Statement(
            _database, "ledger_gauge", "process_id, time_ns, name, bytes", "ORDER BY process_id, time_ns, name");
        while (row?.Next() == true)
        {
            yield return (ProcessOf(row, 0), new LedgerGauge(
                row.Long(1, 0, Limits.TimeNs), row.Text(2), row.Long(3, 0, Limits.TimeNs)));
        }
    }

    /// <summary>Pauses by garbage collectors of .NET, by process and time.</summary>
    public IEnumerable<(ProcessId Process, GcPause Pause)> GcPauses()
    {
        using var row = _version < 3 ? null : new Statement(
            _database, "gc_pause", "process_id, time_ns, duration_ns, generation", "ORDER BY process_id, time_ns");
        while (row?.Next() == true)
        {
            yield return (ProcessOf(row, 0), new GcPause(
                row.Long(1, 0, Limits.TimeNs), row.Long(2, 0, Limits.TimeNs), row.Int(3, -1, 3)));
        }
    }

    /// <summary>Which births were recorded from when on, by process and time; no row: all were, from its start.</summary>
    public IEnumerable<SamplingRow> Sampling()
    {
        using var row = _version < SchemaCheck.SamplingSince ? null : new Statement(
            _database, "sampling", "process_id, time_ns, sample_bytes, reason", "ORDER BY process_id, time_ns");
        while (row?.Next() == true)
        {
            yield return new SamplingRow(
                ProcessOf(row, 0), row.Long(1, 0, Limits.TimeNs), row.Long(2, 0, long.MaxValue), row.Text(3));
        }
    }

    /// <summary>Where a process's resident memory was at its last look; null when nobody looked.</summary>
    public Ledger? LastLedger(ProcessId process)
    {
        long? rss = null;
        var time = 0L;
        var unexplained = 0L;
        var names = new HashSet<string>(StringComparer.Ordinal);
        var parts = new List<LedgerPart>();
        using var row = new Statement(
            _database,
            "ledger",
            "time_ns, part, bytes",
            "WHERE process_id = ?1 AND time_ns = (SELECT max(time_ns) FROM ledger WHERE process_id = ?1)");
        row.Bind(1, process.Value);
        while (row.Next())
        {
            time = row.Long(0, 0, Limits.TimeNs);
            var name = row.Text(1);
            var bytes = row.Long(2, -Limits.TimeNs, Limits.TimeNs);
            if (!names.Add(name))
            {
                throw row.Damaged(1, "there twice");
            }

            switch (name)
            {
                case "rss": rss = bytes; break;
                case "unexplained": unexplained = bytes; break;
                default: parts.Add(new LedgerPart(name, bytes)); break;
            }
        }

        parts.Sort((a, b) => (b.Bytes, a.Name).CompareTo((a.Bytes, b.Name)));
        return rss is null ? null : new Ledger(time, rss.Value, parts, unexplained);
    }

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    private long FindLastMoment()
    {
        var last = Info.Peak?.TimeNs ?? 0;
        using var times = new Statement(_database, "timeline", "max(time_ns)");
        if (times.Next() && !times.IsNull(0))
        {
            last = times.Long(0, 0, Limits.TimeNs);
        }

        using var ends = new Statement(_database, "process", "max(max(start_ns, coalesce(end_ns, 0)))");
        return ends.Next() && !ends.IsNull(0) ? Math.Max(last, ends.Long(0, 0, Limits.TimeNs)) : last;
    }

    // Places are read before: what throws then leaves no statement behind, which would keep the file locked.
    private StackTable ReadStacks(int locations) => StackTable.Read(Rows(PackedTable.Stack), locations);

    // A trace of an older version, or one made by hand, has them in tables.
    private TableRows Rows(PackedTable table)
    {
        if (_version >= SchemaCheck.PackedSince
            && PackedRows.TryOpen(_database, table, Info.BucketNs ?? 0) is { } packed)
        {
            return packed;
        }

        var columns = table.Columns.Select(
            column => column.Name == "thread_id" && !HasThreadShares ? "NULL" : column.Name);
        var kind = table.Kind is null ? "" : $"WHERE kind = '{table.Kind}'";
        return new Statement(_database, table.Name, string.Join(", ", columns), kind);
    }

    private ProcessId ProcessOf(TableRows row, int column) => new(row.Int(column, 1, Processes.Count));

    private StackId StackOf(TableRows row, int column) => new(row.Int(column, 1, Stacks.Count));
}
