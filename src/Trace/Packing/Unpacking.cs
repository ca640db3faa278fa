using SQLitePCL;

namespace NativeHeap.Trace.Packing;

/// <summary>
/// Packed tables as tables again, for queries in SQL: temporary ones of the same names, which stand before those of the
/// file.
/// </summary>
internal static class Unpacking
{
    /// <summary>Makes the tables that a query names.</summary>
    /// <param name="database">The trace, whose queries may take as long as they take.</param>
    /// <param name="query">Any text.</param>
    /// <exception cref="TraceException">The trace is damaged, or there is too little memory.</exception>
    public static void MakeTables(TraceDatabase database, string query)
    {
        var bucketNs = MetaTable.Read(database).BucketNs ?? 0;
        foreach (var group in PackedTable.All
            .Where(table => query.Contains(table.Name, StringComparison.OrdinalIgnoreCase))
            .GroupBy(table => table.Name))
        {
            var isThere = false;
            foreach (var table in group)
            {
                using var rows = PackedRows.TryOpen(database, table, bucketNs);
                if (rows is null)
                {
                    continue;
                }

                if (!isThere)
                {
                    database.Execute(SchemaCheck.Definition(table.Name).Replace("CREATE TABLE", "CREATE TEMP TABLE", StringComparison.Ordinal));
                    isThere = true;
                }

                Fill(database, table, rows);
            }
        }
    }

    private static void Fill(TraceDatabase database, PackedTable table, PackedRows rows)
    {
        var names = table.Columns.Select(column => column.Name).ToList();
        if (table.Kind is not null)
        {
            names.Add("kind");
        }

        using var insert = database.Prepare(
            $"INSERT INTO temp.{table.Name} ({string.Join(", ", names)}) "
            + $"VALUES ({string.Join(", ", names.Select((_, i) => $"?{i + 1}"))})");
        if (table.Kind is not null)
        {
            raw.sqlite3_bind_text(insert, names.Count, table.Kind);
        }

        while (rows.Next())
        {
            for (var i = 0; i < table.Columns.Length; i++)
            {
                if (rows.IsNull(i))
                {
                    raw.sqlite3_bind_null(insert, i + 1);
                }
                else
                {
                    raw.sqlite3_bind_int64(insert, i + 1, rows.Row[i]);
                }
            }

            if (raw.sqlite3_step(insert) != raw.SQLITE_DONE)
            {
                throw database.Failure();
            }

            raw.sqlite3_reset(insert);
        }
    }
}
