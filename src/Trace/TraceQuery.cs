using NativeHeap.Model;
using NativeHeap.Trace.Packing;
using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>
/// A query of the user's own on a trace, of the moment at which it was opened, also while it is being written. It can read
/// and nothing else. Rows come as they are asked for. Not for several threads.
/// </summary>
public sealed class TraceQuery : IDisposable
{
    private readonly TraceDatabase _database;
    private readonly sqlite3_stmt _statement;

    private TraceQuery(TraceDatabase database, sqlite3_stmt statement)
    {
        _database = database;
        _statement = statement;
        Columns = [.. Enumerable.Range(0, raw.sqlite3_column_count(statement)).Select(ColumnName)];
    }

    /// <summary>The columns' names.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>Opens a trace and prepares one SELECT statement.</summary>
    /// <param name="path">The trace.</param>
    /// <param name="sql">The statement.</param>
    /// <exception cref="TraceException">The trace cannot be read (exit code 4).</exception>
    /// <exception cref="ToolException">The statement is none that reads (exit code 2).</exception>
    public static TraceQuery Open(string path, string sql)
    {
        ArgumentNullException.ThrowIfNull(sql);
        var database = TraceDatabase.Open(path);
        try
        {
            var version = SchemaCheck.Verify(database);
            database.LiftBudget();
            if (version >= SchemaCheck.PackedSince)
            {
                Unpacking.MakeTables(database, sql);
            }

            database.OpenToUser();
            return new TraceQuery(database, Prepare(database, sql));
        }
        catch (ToolException)
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Moves to the next row.</summary>
    /// <returns>False after the last.</returns>
    /// <exception cref="ToolException">The statement cannot be carried out (exit code 2).</exception>
    /// <exception cref="TraceException">The trace is damaged (exit code 4).</exception>
    public bool Next() => raw.sqlite3_step(_statement) switch
    {
        raw.SQLITE_ROW => true,
        raw.SQLITE_DONE => false,
        raw.SQLITE_CORRUPT => throw _database.Failure(),
        _ => throw Refuse(_database.LastMessage),
    };

    /// <summary>A value of the row: a <see cref="long"/>, a <see cref="double"/>, a <see cref="string"/>, bytes, or null.</summary>
    /// <param name="column">0 to the number of columns less 1.</param>
    public object? Value(int column) => raw.sqlite3_column_type(_statement, column) switch
    {
        raw.SQLITE_INTEGER => raw.sqlite3_column_int64(_statement, column),
        raw.SQLITE_FLOAT => raw.sqlite3_column_double(_statement, column),
        raw.SQLITE_TEXT => raw.sqlite3_column_text(_statement, column).utf8_to_string(),
        raw.SQLITE_BLOB => raw.sqlite3_column_blob(_statement, column).ToArray(),
        _ => null,
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _statement.Dispose();
        _database.Dispose();
    }

    private static sqlite3_stmt Prepare(TraceDatabase database, string sql)
    {
        var statement = database.TryPrepare(sql, out var rest);
        if (statement is null)
        {
            var problem = database.LastMessage;
            throw Refuse(problem == "not authorized" ? "only SELECT is possible: a trace is not changed" : problem);
        }

        if (statement.IsInvalid || rest.Trim().TrimEnd(';').Length > 0)
        {
            statement.Dispose();
            throw Refuse("give one SELECT statement");
        }

        return statement;
    }

    private static ToolException Refuse(string problem) => new("the query: " + problem, ExitCodes.Usage);

    private string ColumnName(int column) => raw.sqlite3_column_name(_statement, column).utf8_to_string();
}
