using Microsoft.Data.Sqlite;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>Changes to a trace, or to another SQLite file, that no verb makes.</summary>
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
}
