namespace NativeHeap.Trace;

/// <summary>
/// Tells a trace from another database and an older tool from a newer trace. What tables a trace must have is taken
/// from <c>schema.sql</c> itself.
/// </summary>
internal static class SchemaCheck
{
    private const long ApplicationId = 0x4E484550; // "NHEP"

    /// <summary>The newest schema this reader knows.</summary>
    public const long Version = 5;

    /// <summary>The first version that keeps tables packed.</summary>
    public const long PackedSince = 2;

    /// <summary>The first version that counts frees of blocks from before an attach.</summary>
    public const long EarlierFreesSince = 3;

    /// <summary>The first version that keeps with a heap-check what the program itself did not want to be reported.</summary>
    public const long SuppressionsSince = 4;

    /// <summary>The first version that has mappings.</summary>
    public const long MappingsSince = 5;

    /// <summary>The first version that says when which births were recorded.</summary>
    public const long SamplingSince = 5;

    /// <summary>Tables and columns (<c>table.column</c>) that older versions had not, by the version they came with.</summary>
    private static readonly Dictionary<string, long> s_since = new(StringComparer.Ordinal)
    {
        ["gc_pause"] = 3,
        ["leak_check"] = 2,
        ["leak_check.suppressions"] = SuppressionsSince,
        ["leak_graph"] = 2,
        ["ledger_gauge"] = 3,
        ["mapped_peak"] = MappingsSince,
        ["mapped_total"] = MappingsSince,
        ["packed"] = PackedSince,
        ["process.earlier_frees"] = EarlierFreesSince,
        ["sampling"] = SamplingSince,
        ["snapshot_mapped"] = MappingsSince,
        ["snapshot_type"] = 2,
        ["stack_total.thread_id"] = 2,
        ["thread_total"] = 2,
    };

    /// <returns>The trace's version.</returns>
    /// <exception cref="TraceException">It is no trace, or none that this version can read.</exception>
    public static long Verify(TraceDatabase database)
    {
        var application = Pragma(database, "application_id");
        if (application == 0 && Columns(database).Count == 0)
        {
            throw new TraceException(
                database.Path, "holds nothing: no trace, or one that was copied without the -wal file beside it");
        }

        if (application != ApplicationId)
        {
            throw new TraceException(database.Path, "not a trace (a SQLite file of another program)");
        }

        var version = Pragma(database, "user_version");
        if (version > Version)
        {
            throw new TraceException(
                database.Path, $"written by a newer nativeheap (trace version {version}, this one reads up to {Version})");
        }

        if (version < 1)
        {
            throw database.Damaged($"trace version {version}");
        }

        VerifyTables(database, version);
        return version;
    }

    /// <summary>The statement that makes a table of ours.</summary>
    public static string Definition(string table)
    {
        using var model = TraceDatabase.OpenEmpty(Schema());
        using var statement = new Statement(model, "sqlite_schema", "sql", $"WHERE name = '{table}'");
        return statement.Next() ? statement.Text(0) : throw new ArgumentException("no such table", nameof(table));
    }

    private static long Pragma(TraceDatabase database, string name)
    {
        using var statement = new Statement(database, $"pragma_{name}", name);
        return statement.Next() ? statement.Long(0, long.MinValue, long.MaxValue) : 0;
    }

    private static void VerifyTables(TraceDatabase database, long version)
    {
        var actual = Columns(database);
        using var model = TraceDatabase.OpenEmpty(Schema());
        foreach (var (table, columns) in Columns(model))
        {
            if (!IsIn(table, version))
            {
                continue;
            }

            if (!actual.TryGetValue(table, out var found))
            {
                throw database.Damaged($"table {table} is missing");
            }

            var missing = columns.Except(found).FirstOrDefault(column => IsIn($"{table}.{column}", version));
            if (missing is not null)
            {
                throw database.Damaged($"column {table}.{missing} is missing");
            }
        }
    }

    private static bool IsIn(string name, long version) => s_since.GetValueOrDefault(name) <= version;

    /// <summary>Tables and their stored columns; views, virtual tables and computed columns do not count.</summary>
    private static Dictionary<string, HashSet<string>> Columns(TraceDatabase database)
    {
        var tables = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        using var statement = new Statement(
            database,
            "pragma_table_list AS t, pragma_table_xinfo(t.name) AS c",
            "t.name, c.name",
            "WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.hidden = 0");
        while (statement.Next())
        {
            var table = statement.Text(0);
            if (!tables.TryGetValue(table, out var columns))
            {
                tables.Add(table, columns = new HashSet<string>(StringComparer.Ordinal));
            }

            columns.Add(statement.Text(1));
        }

        return tables;
    }

    private static string Schema()
    {
        using var stream = typeof(SchemaCheck).Assembly.GetManifestResourceStream("schema.sql")
            ?? throw new InvalidOperationException("schema.sql is not in the assembly");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
