using Microsoft.Data.Sqlite;

namespace NativeHeap.Fixtures;

/// <summary>A column of a trace.</summary>
public readonly record struct TraceColumn(string Table, string Name);

/// <summary>Changes single values of a trace, for tests that put anything anywhere.</summary>
public static class TraceColumns
{
    private static readonly HashSet<string> s_tablesWithId =
        ["location", "method", "module", "process", "snapshot", "stack", "string", "thread"];

    /// <summary>All columns of all tables.</summary>
    public static IReadOnlyList<TraceColumn> Of(string path)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c "
            + "WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'";
        var columns = new List<TraceColumn>();
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            columns.Add(new TraceColumn(reader.GetString(0), reader.GetString(1)));
        }

        return columns;
    }

    /// <summary>Puts a value into a row of a column, or into all rows of a table that has no id.</summary>
    public static void Set(string path, IEnumerable<(TraceColumn Column, int Row, object Value)> changes)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        TraceBuilder.Execute(connection, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
        foreach (var (column, row, value) in changes)
        {
            Set(connection, column, row, value);
        }
    }

    private static void Set(SqliteConnection connection, TraceColumn column, int row, object value)
    {
        var (table, name) = column;
        var key = table == "meta" ? "key" : s_tablesWithId.Contains(table) ? "id" : null;
        var rows = key is null ? "" : $"WHERE {key} IN (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET $row)";
        using var command = connection.CreateCommand();
        command.CommandText = $"UPDATE OR IGNORE {table} SET {name} = $value {rows}";
        command.Parameters.AddWithValue("$value", value);
        command.Parameters.AddWithValue("$row", row);
        try
        {
            command.ExecuteNonQuery();
        }
        catch (SqliteException error) when (error.SqliteErrorCode is 19 or 20)
        {
            // A constraint or the type of a key does not let this value in.
        }
    }
}
