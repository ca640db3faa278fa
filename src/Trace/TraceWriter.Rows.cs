using System.Diagnostics.CodeAnalysis;
using NativeHeap.Model;
using NativeHeap.Trace.Packing;

namespace NativeHeap.Trace;

// The rows. Whoever writes them keeps to the order that readers rely on: ids dense from 1, parents before children.
public sealed partial class TraceWriter
{
    private const int LeakGraphPartBytes = 4 << 20;

    private readonly Dictionary<string, int> _strings = new(StringComparer.Ordinal);
    private int _stacks;
    private bool _isPassingPeaks; // the run of stack_total that is being written says so of processes, and nothing else

    private WriteStatement _metaText;
    private WriteStatement _metaNumber;
    private WriteStatement _process;
    private WriteStatement _thread;
    private WriteStatement _module;
    private WriteStatement _mapping;
    private WriteStatement _location;
    private WriteStatement _code;
    private WriteStatement _method;
    private WriteStatement _timeline;
    private WriteStatement _mappedTotal;
    private WriteStatement _mappedPeak;
    private WriteStatement _ledger;
    private WriteStatement _gauge;
    private WriteStatement _pause;
    private WriteStatement _sampling;
    private WriteStatement _snapshot;
    private WriteStatement _snapshotTotal;
    private WriteStatement _snapshotMapped;
    private WriteStatement _block;
    private WriteStatement _leakCheck;
    private WriteStatement _leakGraph;
    private WriteStatement _string;
    private WriteStatement _frame;

    /// <summary>Writes a process's row, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(ProcessInfo process)
    {
        ArgumentNullException.ThrowIfNull(process);
        var totals = process.Totals;
        Run(_process
            .Bind(1, process.Id.Value).Bind(2, process.Pid).Bind(3, process.Image)
            .Bind(4, process.ParentId?.Value).Bind(5, process.ParentPid)
            .Bind(6, Word(process.Origin)).Bind(7, process.Command).Bind(8, process.Executable)
            .Bind(9, process.StartNs).Bind(10, process.EndNs)
            .Bind(11, process.Ending is { } ending ? Word(ending) : null)
            .Bind(12, process.ExitCode).Bind(13, process.Signal)
            .Bind(14, process.Complete ? 1 : 0).Bind(15, totals.MissedCalls)
            .Bind(16, totals.Allocations).Bind(17, totals.Frees)
            .Bind(18, totals.AllocatedBytes).Bind(19, totals.FreedBytes)
            .Bind(20, totals.LiveBlocks).Bind(21, totals.LiveBytes)
            .Bind(22, totals.Peak.Bytes).Bind(23, totals.Peak.Blocks).Bind(24, totals.Peak.TimeNs)
            .Bind(25, totals.Peak.LowBytes).Bind(26, totals.Peak.HighBytes)
            .Bind(27, totals.TemporaryAllocations).Bind(28, totals.InheritedFrees).Bind(29, totals.ForeignFrees)
            .Bind(30, process.Note).Bind(31, totals.EarlierFrees));
    }

    /// <summary>Writes a thread's row, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in ThreadRow row) => Run(_thread
        .Bind(1, row.Id).Bind(2, row.Process.Value).Bind(3, row.Tid).Bind(4, row.Name)
        .Bind(5, row.StartNs).Bind(6, row.Allocations).Bind(7, row.AllocatedBytes));

    /// <summary>Adds a binary.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddModule(int id, Binary binary)
    {
        ArgumentNullException.ThrowIfNull(binary);
        Run(_module.Bind(1, id).Bind(2, binary.Path).Bind(3, binary.BuildId));
    }

    /// <summary>Writes where a process has a module, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in MappingRow row) => Run(_mapping
        .Bind(1, row.Id).Bind(2, row.Process.Value).Bind(3, row.Module)
        .Bind(4, (long)row.Start).Bind(5, (long)row.End).Bind(6, (long)row.Bias)
        .Bind(7, row.LoadNs).Bind(8, row.UnloadNs));

    /// <summary>Writes a place that no native module covers, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in CodeRow row) => Run(_code
        .Bind(1, row.Location.Value).Bind(2, row.Process.Value).Bind(3, (long)row.Address).Bind(4, row.Epoch)
        .Bind(5, row.SeenNs).Bind(6, row.Method).Bind(7, row.IlOffset));

    /// <summary>Adds a method's code.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddMethod(in MethodRow row) => Run(_method
        .Bind(1, row.Id).Bind(2, row.Process.Value).Bind(3, row.Module).Bind(4, row.Token)
        .Bind(5, row.Type).Bind(6, row.Name).Bind(7, row.Signature).Bind(8, row.Tier)
        .Bind(9, (long)row.Start).Bind(10, row.Size).Bind(11, row.LoadNs).Bind(12, row.UnloadNs));

    /// <summary>Adds a place in code, or writes it anew.</summary>
    /// <param name="id">The next one, or one that was written.</param>
    /// <param name="module">Its module, null when it lies in none.</param>
    /// <param name="offset">See the schema.</param>
    /// <param name="kind">What it is.</param>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddLocation(LocationId id, int? module, ulong offset, FrameKind kind) => Run(_location
        .Bind(1, id.Value).Bind(2, module).Bind(3, (long)offset).Bind(4, kind.Name()));

    /// <summary>Adds a node of the calling-context tree; one that is there already is left as it is.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddStack(StackId id, StackId parent, LocationId location)
    {
        if (id.Value > _stacks)
        {
            _stacks = id.Value;
            Pack(PackedTable.Stack, [id.Value, parent.Value, location.Value]);
        }
    }

    /// <summary>Writes what a stack cost in a process, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in StackTotalRow row)
    {
        if (_isPassingPeaks)
        {
            _isPassingPeaks = false;
            Guard(() => _packed.EndRun(PackedTable.StackTotal));
        }

        Pack(
            PackedTable.StackTotal,
            [
                row.Process.Value, row.Stack.Value, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes,
                row.Temporary, row.TemporaryBytes, row.PeakBlocks, row.PeakBytes, row.ProcessPeakBlocks,
                row.ProcessPeakBytes, row.Thread ?? 0,
            ]);
    }

    /// <summary>Adds to a thread's share in a stack.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Add(in ThreadShareRow row) => Pack(
        PackedTable.ThreadTotal,
        [row.Thread, row.Stack.Value, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes]);

    /// <summary>The trace has a new peak, at which an ended process had nothing.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void ForgetPeak(ProcessId process)
    {
        if (!_isPassingPeaks)
        {
            _isPassingPeaks = true;
            Guard(() => _packed.EndRun(PackedTable.StackTotal));
        }

        Pack(PackedTable.StackTotal, [process.Value, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    /// <summary>Adds blocks to a cohort, or takes them out by negative numbers.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Add(in CohortRow row) => Pack(
        PackedTable.Cohort, [row.Process.Value, row.Stack.Value, row.Birth, row.Death, row.Blocks, row.Bytes]);

    /// <summary>Adds blocks to a bucket of a histogram.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Add(in HistogramRow row, HistogramKind kind) => Pack(
        kind == HistogramKind.Size ? PackedTable.Sizes : PackedTable.Lifetimes,
        [row.Process.Value, row.Stack.Value, row.Bucket, row.Blocks, row.Bytes]);

    /// <summary>Writes a process's state at a bucket's end, or writes it anew; the bucket's peak never falls, and a
    /// resident size stays when the new row has none.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in TimelineRow row) => Run(_timeline
        .Bind(1, row.Process.Value).Bind(2, row.TimeNs).Bind(3, row.LiveBlocks).Bind(4, row.LiveBytes)
        .Bind(5, row.LivePeakBytes).Bind(6, row.Allocations).Bind(7, row.AllocatedBytes).Bind(8, row.RssBytes));

    /// <summary>Writes what a stack mapped, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in MappedTotalRow row) => Run(_mappedTotal
        .Bind(1, row.Process.Value).Bind(2, row.Stack.Value).Bind(3, row.Mappings).Bind(4, row.MappedBytes)
        .Bind(5, row.Unmappings).Bind(6, row.UnmappedBytes).Bind(7, row.PeakMappings).Bind(8, row.PeakBytes));

    /// <summary>Writes when a process had most mapped, or writes it anew.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in MappedPeakRow row) => Run(_mappedPeak
        .Bind(1, row.Process.Value).Bind(2, row.Mappings).Bind(3, row.Bytes).Bind(4, row.TimeNs));

    /// <summary>Writes where a process's resident memory was at one moment.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(ProcessId process, Ledger ledger)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        PutLedger(process, ledger.TimeNs, "rss", ledger.RssBytes);
        PutLedger(process, ledger.TimeNs, "unexplained", ledger.UnexplainedBytes);
        foreach (var part in ledger.Parts)
        {
            PutLedger(process, ledger.TimeNs, part.Name, part.Bytes);
        }
    }

    /// <summary>Writes a figure beside the ledger of a process.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(ProcessId process, LedgerGauge gauge) => Run(_gauge
        .Bind(1, process.Value).Bind(2, gauge.TimeNs).Bind(3, gauge.Name).Bind(4, gauge.Bytes));

    /// <summary>Writes a pause by the garbage collector of a process.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(ProcessId process, GcPause pause) => Run(_pause
        .Bind(1, process.Value).Bind(2, pause.TimeNs).Bind(3, pause.DurationNs).Bind(4, pause.Generation));

    /// <summary>Writes which births of a process are recorded from a moment on.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Put(in SamplingRow row) => Run(_sampling
        .Bind(1, row.Process.Value).Bind(2, row.TimeNs).Bind(3, row.SampleBytes).Bind(4, row.Reason));

    /// <summary>Adds a snapshot.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddSnapshot(Snapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        Run(_snapshot.Bind(1, snapshot.Number).Bind(2, snapshot.Name).Bind(3, snapshot.Reason).Bind(4, snapshot.TimeNs));
    }

    /// <summary>Adds what a stack had alive at a snapshot.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddSnapshotTotal(int snapshot, in SnapshotRow row) => Run(_snapshotTotal
        .Bind(1, snapshot).Bind(2, row.Process.Value).Bind(3, row.Stack.Value).Bind(4, row.Blocks).Bind(5, row.Bytes));

    /// <summary>Adds what a stack had mapped at a snapshot.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddSnapshotMapped(int snapshot, in SnapshotRow row) => Run(_snapshotMapped
        .Bind(1, snapshot).Bind(2, row.Process.Value).Bind(3, row.Stack.Value).Bind(4, row.Blocks).Bind(5, row.Bytes));

    /// <summary>Adds a block that is alive at a snapshot.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddBlock(int snapshot, in BlockRow row) => Run(_block
        .Bind(1, snapshot).Bind(2, row.Process.Value).Bind(3, (long)row.Address).Bind(4, row.Bytes)
        .Bind(5, row.Stack.Value).Bind(6, row.Thread).Bind(7, row.BirthNs));

    /// <summary>Adds a heap-check.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void AddLeakCheck(LeakCheckRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        Run(_leakCheck
            .Bind(1, row.Number).Bind(2, row.Process.Value).Bind(3, row.TimeNs).Bind(4, row.Level)
            .Bind(5, row.HeldNs).Bind(6, row.IsComplete ? 1 : 0).Bind(7, row.Suppressions));
        for (var part = 0; part * LeakGraphPartBytes < row.Graph.Length; part++)
        {
            var rest = row.Graph.Span[(part * LeakGraphPartBytes)..];
            Run(_leakGraph.Bind(1, row.Number).Bind(2, part).Bind(3, rest[..Math.Min(rest.Length, LeakGraphPartBytes)]));
        }
    }

    /// <summary>Adds what a place in code resolved to.</summary>
    /// <param name="location">The place; it has no frames yet.</param>
    /// <param name="frames">The innermost inlined function first.</param>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void WriteFrames(LocationId location, IReadOnlyList<ResolvedFrame> frames)
    {
        ArgumentNullException.ThrowIfNull(frames);
        for (var i = 0; i < frames.Count; i++)
        {
            var frame = frames[i];
            var function = Intern(frame.Function);
            var file = Intern(frame.File);
            Run(_frame.Bind(1, location.Value).Bind(2, i).Bind(3, function).Bind(4, file)
                .Bind(5, frame.Line).Bind(6, frame.Inlined ? 1 : 0));
        }
    }

    /// <summary>Makes buckets twice as wide: rows of two become one.</summary>
    /// <param name="bucketNs">The new width.</param>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void WidenBuckets(long bucketNs)
    {
        Guard(() => Execute(_database, Widening.Sql(bucketNs)));
        SetMeta("bucket_ns", bucketNs);
    }

    private void Pack(PackedTable table, ReadOnlySpan<long> row)
    {
        try
        {
            _packed.Add(table, row);
        }
        catch (SqliteFailure failure)
        {
            throw Explain(Path, failure, ExitCodes.Fault);
        }
    }

    private static string Word(ProcessOrigin origin) => origin switch
    {
        ProcessOrigin.Run => "run",
        ProcessOrigin.Fork => "fork",
        ProcessOrigin.Exec => "exec",
        ProcessOrigin.Spawn => "spawn",
        ProcessOrigin.Attach => "attach",
        _ => throw new ArgumentOutOfRangeException(nameof(origin)),
    };

    private static string Word(ProcessEnding ending) => ending switch
    {
        ProcessEnding.Exit => "exit",
        ProcessEnding.Signal => "signal",
        ProcessEnding.Exec => "exec",
        ProcessEnding.Unknown => "unknown",
        ProcessEnding.Detached => "detached",
        _ => throw new ArgumentOutOfRangeException(nameof(ending)),
    };

    private void PutLedger(ProcessId process, long timeNs, string part, long bytes) =>
        Run(_ledger.Bind(1, process.Value).Bind(2, timeNs).Bind(3, part).Bind(4, bytes));

    private int? Intern(string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (!_strings.TryGetValue(text, out var id))
        {
            id = _strings.Count + 1;
            Run(_string.Bind(1, id).Bind(2, text));
            _strings.Add(text, id);
        }

        return id;
    }

    private void Run(WriteStatement statement)
    {
        try
        {
            statement.Run();
        }
        catch (SqliteFailure failure)
        {
            throw Explain(Path, failure, ExitCodes.Fault);
        }
    }

    [MemberNotNull(
        nameof(_metaText), nameof(_metaNumber), nameof(_process), nameof(_thread), nameof(_module), nameof(_mapping),
        nameof(_location), nameof(_code), nameof(_method),
        nameof(_timeline), nameof(_mappedTotal), nameof(_mappedPeak), nameof(_ledger), nameof(_gauge), nameof(_pause), nameof(_sampling),
        nameof(_snapshot), nameof(_snapshotTotal), nameof(_snapshotMapped), nameof(_block), nameof(_leakCheck), nameof(_leakGraph),
        nameof(_string), nameof(_frame))]
    private void PrepareStatements()
    {
        _metaText = Replace("meta", "key, value", 2);
        _metaNumber = Replace("meta", "key, value", 2);
        _process = Replace(
            "process",
            "id, pid, image, parent_id, parent_pid, origin, command, executable, start_ns, end_ns, ending, exit_code, "
            + "signal, complete, missed_calls, allocations, frees, allocated_bytes, freed_bytes, live_blocks, "
            + "live_bytes, peak_bytes, peak_blocks, peak_time_ns, peak_low_bytes, peak_high_bytes, "
            + "temporary_allocations, inherited_frees, foreign_frees, note, earlier_frees",
            31);
        _thread = Replace("thread", "id, process_id, tid, name, start_ns, allocations, allocated_bytes", 7);
        _module = Replace("module", "id, path, build_id", 3);
        _mapping = Replace(
            "mapping", "rowid, process_id, module_id, start_address, end_address, bias, load_ns, unload_ns", 8);
        _location = Replace("location", "id, module_id, offset, kind", 4);
        _code = Replace("code", "location_id, process_id, address, epoch, seen_ns, method_id, il_offset", 7);
        _method = Replace(
            "method",
            "id, process_id, module_id, token, type, name, signature, tier, start_address, size, load_ns, unload_ns",
            12);
        _timeline = Prepare(
            "INSERT INTO timeline (process_id, time_ns, live_blocks, live_bytes, live_peak_bytes, allocations, "
            + "allocated_bytes, rss_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
            + "ON CONFLICT DO UPDATE SET live_blocks = excluded.live_blocks, live_bytes = excluded.live_bytes, "
            + "live_peak_bytes = max(live_peak_bytes, excluded.live_peak_bytes), allocations = excluded.allocations, "
            + "allocated_bytes = excluded.allocated_bytes, rss_bytes = coalesce(excluded.rss_bytes, rss_bytes)");
        _mappedTotal = Replace(
            "mapped_total",
            "process_id, stack_id, mappings, mapped_bytes, unmappings, unmapped_bytes, peak_mappings, peak_bytes",
            8);
        _mappedPeak = Replace("mapped_peak", "process_id, mappings, bytes, time_ns", 4);
        _ledger = Replace("ledger", "process_id, time_ns, part, bytes", 4);
        _gauge = Replace("ledger_gauge", "process_id, time_ns, name, bytes", 4);
        _pause = Replace("gc_pause", "process_id, time_ns, duration_ns, generation", 4);
        _sampling = Replace("sampling", "process_id, time_ns, sample_bytes, reason", 4);
        _snapshot = Replace("snapshot", "id, name, reason, time_ns", 4);
        _snapshotTotal = Replace("snapshot_total", "snapshot_id, process_id, stack_id, blocks, bytes", 5);
        _snapshotMapped = Replace("snapshot_mapped", "snapshot_id, process_id, stack_id, mappings, bytes", 5);
        _leakCheck = Replace("leak_check", "id, process_id, time_ns, level, held_ns, complete, suppressions", 7);
        _leakGraph = Replace("leak_graph", "check_id, part, data", 3);
        _block = Replace("block", "snapshot_id, process_id, address, bytes, stack_id, thread_id, birth_ns", 7);
        _string = Replace("string", "id, text", 2);
        _frame = Replace("frame", "location_id, position, function_id, file_id, line, inlined", 6);
    }

    private WriteStatement Replace(string table, string columns, int count) => Prepare(
        $"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({string.Join(", ", Enumerable.Range(1, count).Select(i => $"?{i}"))})");
}
