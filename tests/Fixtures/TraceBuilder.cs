using Microsoft.Data.Sqlite;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Fixtures;

/// <summary>
/// Makes traces row by row, straight from <c>schema.sql</c>, so that readers are tested against the schema and not
/// against the writer. <see cref="Blocks"/> keeps the tables consistent; <see cref="Row"/> writes anything.
/// </summary>
public sealed class TraceBuilder
{
    private readonly List<(string Table, Dictionary<string, object?> Columns)> _rows = [];
    private readonly Dictionary<string, object?> _meta = new()
    {
        ["tool_version"] = "0.1.0",
        ["command"] = """["./server","--port","8080"]""",
        ["host"] = "build7",
        ["kernel"] = "6.1.0",
        ["machine"] = "x86_64",
        ["start_unix_ns"] = 1_700_000_000_000_000_000,
        ["start_monotonic_ns"] = 5_000_000_000,
        ["end_ns"] = 1_000_000_000,
        ["exact"] = 1,
        ["sample_bytes"] = 0,
        ["bucket_ns"] = 10_000_000,
        ["complete"] = 1,
        ["lost_events"] = 0,
    };

    private readonly List<Dictionary<string, object?>> _processes = [];
    private readonly Dictionary<(int Process, int Stack), Dictionary<string, object?>> _totals = [];
    private readonly Dictionary<(int Parent, int Location), int> _stacks = [];
    private readonly Dictionary<string, int> _strings = [];
    private int _modules;
    private int _locations;

    /// <summary>Sets or, with null, removes a key of <c>meta</c>.</summary>
    public TraceBuilder Meta(string key, object? value)
    {
        _meta[key] = value;
        if (value is null)
        {
            _meta.Remove(key);
        }

        return this;
    }

    /// <summary>Adds a row as it stands.</summary>
    public TraceBuilder Row(string table, params (string Column, object? Value)[] columns)
    {
        _rows.Add((table, columns.ToDictionary(c => c.Column, c => c.Value)));
        return this;
    }

    /// <summary>A process from 0 to 1 s that exited with 0; columns given replace or add to that.</summary>
    public int Process(int pid, params (string Column, object? Value)[] columns)
    {
        var row = new Dictionary<string, object?>
        {
            ["id"] = _processes.Count + 1,
            ["pid"] = pid,
            ["image"] = 0,
            ["parent_pid"] = 1,
            ["origin"] = "run",
            ["command"] = "./server --port 8080",
            ["executable"] = "/srv/server",
            ["start_ns"] = 0,
            ["end_ns"] = 1_000_000_000,
            ["ending"] = "exit",
            ["exit_code"] = 0,
            ["complete"] = 1,
        };
        foreach (var (column, value) in columns)
        {
            row[column] = value;
        }

        _processes.Add(row);
        return _processes.Count;
    }

    public int Module(string path, string? buildId = null)
    {
        Row("module", ("id", ++_modules), ("path", path), ("build_id", buildId));
        return _modules;
    }

    /// <summary>A native place; names from the innermost inlined function outwards.</summary>
    public int Code(int? module, long offset, params ResolvedFrame[] names) => Place(module, offset, "native", names);

    public int Entry(EntryPoint entry) => Place(null, (long)entry, "entry");

    public int Marker(StackMarker marker) => Place(null, (long)marker, "marker");

    public int Place(int? module, long offset, string kind, params ResolvedFrame[] names)
    {
        Row("location", ("id", ++_locations), ("module_id", module), ("offset", offset), ("kind", kind));
        for (var i = 0; i < names.Length; i++)
        {
            Row(
                "frame",
                ("location_id", _locations),
                ("position", i),
                ("function_id", Text(names[i].Function)),
                ("file_id", Text(names[i].File)),
                ("line", names[i].Line),
                ("inlined", names[i].Inlined ? 1 : 0));
        }

        return _locations;
    }

    /// <summary>The node of a path of locations, the outermost first.</summary>
    public int Stack(params int[] locations)
    {
        var node = 0;
        foreach (var location in locations)
        {
            if (!_stacks.TryGetValue((node, location), out var child))
            {
                child = _stacks.Count + 1;
                _stacks.Add((node, location), child);
                Row("stack", ("id", child), ("parent_id", node), ("location_id", location));
            }

            node = child;
        }

        return node;
    }

    /// <summary>Blocks born in one bucket and dead in another (-1: never): in cohorts and all totals.</summary>
    public TraceBuilder Blocks(
        int process, int stack, int birth, int death, long blocks, long bytes, bool temporary = false, bool atPeak = false)
    {
        Row(
            "cohort",
            ("process_id", process),
            ("stack_id", stack),
            ("birth", birth),
            ("death", death),
            ("blocks", blocks),
            ("bytes", bytes));
        var total = TotalOf(process, stack);
        Add(total, "allocations", blocks, "allocated_bytes", bytes);
        Add(_processes[process - 1], "allocations", blocks, "allocated_bytes", bytes);
        if (death >= 0)
        {
            Add(total, "frees", blocks, "freed_bytes", bytes);
            Add(_processes[process - 1], "frees", blocks, "freed_bytes", bytes);
        }
        else
        {
            Add(_processes[process - 1], "live_blocks", blocks, "live_bytes", bytes);
        }

        if (temporary)
        {
            Add(total, "temporary", blocks, "temporary_bytes", bytes);
            Add(_processes[process - 1], "temporary_allocations", blocks);
        }

        if (atPeak)
        {
            Add(total, "peak_blocks", blocks, "peak_bytes", bytes);
            Add(total, "process_peak_blocks", blocks, "process_peak_bytes", bytes);
        }

        return this;
    }

    /// <summary>What a stack had alive at a process's own peak.</summary>
    public TraceBuilder ProcessPeak(int process, int stack, long blocks, long bytes)
    {
        var total = TotalOf(process, stack);
        Add(total, "process_peak_blocks", blocks, "process_peak_bytes", bytes);
        Add(total, "allocations", blocks, "allocated_bytes", bytes);
        Add(total, "frees", blocks, "freed_bytes", bytes);
        return this;
    }

    /// <summary>Sets the peak of a process and of the trace.</summary>
    public TraceBuilder Peak(int process, long bytes, long blocks, long timeNs, long? low = null, long? high = null)
    {
        var columns = new (string, object)[]
        {
            ("peak_bytes", bytes),
            ("peak_blocks", blocks),
            ("peak_time_ns", timeNs),
            ("peak_low_bytes", low ?? bytes),
            ("peak_high_bytes", high ?? bytes),
        };
        foreach (var (column, value) in columns)
        {
            _processes[process - 1][column] = value;
            _meta[column] = value;
        }

        return this;
    }

    /// <summary>One look at resident memory; parts, then what they leave.</summary>
    public TraceBuilder Ledger(int process, long timeNs, long rss, params (string Part, long Bytes)[] parts)
    {
        var rest = rss - parts.Sum(p => p.Bytes);
        foreach (var (part, bytes) in parts.Append(("rss", rss)).Append(("unexplained", rest)))
        {
            Row("ledger", ("process_id", process), ("time_ns", timeNs), ("part", part), ("bytes", bytes));
        }

        return this;
    }

    public TraceBuilder Timeline(int process, long timeNs, long live, long? peak = null, long? rss = null) => Row(
        "timeline",
        ("process_id", process),
        ("time_ns", timeNs),
        ("live_blocks", 1),
        ("live_bytes", live),
        ("live_peak_bytes", peak ?? live),
        ("allocations", 1),
        ("allocated_bytes", live),
        ("rss_bytes", rss));

    /// <summary>Writes the trace as one that was closed.</summary>
    public string Write(string path)
    {
        using (var connection = OpenNew(path))
        {
            Fill(connection);
        }

        return path;
    }

    /// <summary>Writes the trace in WAL mode and leaves it open, as while it is being recorded.</summary>
    public SqliteConnection WriteOpen(string path)
    {
        var connection = OpenNew(path);
        Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
        Fill(connection);
        return connection;
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>Changes a finished trace by SQL.</summary>
    public static void Alter(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        Execute(connection, "PRAGMA synchronous = OFF");
        Execute(connection, sql);
    }

    private static SqliteConnection OpenNew(string path)
    {
        var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var stream = typeof(TraceReader).Assembly.GetManifestResourceStream("schema.sql")!;
        using var reader = new StreamReader(stream);
        Execute(connection, "PRAGMA synchronous = OFF");
        Execute(connection, reader.ReadToEnd());
        return connection;
    }

    private void Fill(SqliteConnection connection)
    {
        using var transaction = connection.BeginTransaction();
        var commands = new Dictionary<string, SqliteCommand>();
        var meta = _meta.Select(m => ("meta", new Dictionary<string, object?> { ["key"] = m.Key, ["value"] = m.Value }));
        foreach (var (table, columns) in meta
            .Concat(_processes.Select(row => ("process", row)))
            .Concat(_rows)
            .Concat(_totals.Values.Select(row => ("stack_total", row))))
        {
            Insert(connection, commands, table, columns);
        }

        foreach (var command in commands.Values)
        {
            command.Dispose();
        }

        transaction.Commit();
    }

    private static void Insert(
        SqliteConnection connection, Dictionary<string, SqliteCommand> commands, string table, Dictionary<string, object?> columns)
    {
        var sql = $"INSERT INTO {table} ({string.Join(", ", columns.Keys)}) "
            + $"VALUES ({string.Join(", ", columns.Keys.Select(c => "$" + c))})";
        if (!commands.TryGetValue(sql, out var command))
        {
            commands.Add(sql, command = connection.CreateCommand());
            command.CommandText = sql;
            command.Parameters.AddRange(columns.Keys.Select(c => new SqliteParameter("$" + c, null)));
        }

        foreach (var (column, value) in columns)
        {
            command.Parameters["$" + column].Value = value ?? DBNull.Value;
        }

        command.ExecuteNonQuery();
    }

    private int? Text(string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (!_strings.TryGetValue(text, out var id))
        {
            _strings.Add(text, id = _strings.Count + 1);
            Row("string", ("id", id), ("text", text));
        }

        return id;
    }

    private Dictionary<string, object?> TotalOf(int process, int stack)
    {
        if (!_totals.TryGetValue((process, stack), out var row))
        {
            string[] counters =
            [
                "allocations", "allocated_bytes", "frees", "freed_bytes", "temporary", "temporary_bytes", "peak_blocks",
                "peak_bytes", "process_peak_blocks", "process_peak_bytes",
            ];
            row = counters.ToDictionary(c => c, _ => (object?)0L);
            row["process_id"] = process;
            row["stack_id"] = stack;
            _totals.Add((process, stack), row);
        }

        return row;
    }

    private static void Add(Dictionary<string, object?> row, params object[] pairs)
    {
        for (var i = 0; i < pairs.Length; i += 2)
        {
            var column = (string)pairs[i];
            row[column] = (long)(row.GetValueOrDefault(column) ?? 0L) + (long)pairs[i + 1];
        }
    }
}
