using System.Globalization;
using Microsoft.Data.Sqlite;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>Questions to a trace while it is written, and changes to it, or to another SQLite file, that no verb makes.</summary>
internal static class Database
{
    /// <summary>Executes statements; the file is made when it is not there.</summary>
    public static void Change(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The tests' own words.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    /// <summary>The rows that a query gives, each a list of its columns.</summary>
    /// <exception cref="SqliteException">The file, or its tables, are not there.</exception>
    public static IReadOnlyList<IReadOnlyList<object?>> Read(string path, string query)
    {
        using var connection = new SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The tests' own words.
        command.CommandText = query;
#pragma warning restore CA2100
        using var reader = command.ExecuteReader();
        var rows = new List<IReadOnlyList<object?>>();
        while (reader.Read())
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetValue(i))]);
        }
        return rows;
    }

    /// <summary>The number that a query gives.</summary>
    /// <exception cref="SqliteException">The file, or its tables, are not there.</exception>
    public static long Number(string path, string query) =>
        Read(path, query) is [var row, ..] ? Convert.ToInt64(row[0], CultureInfo.InvariantCulture) : 0;
}
