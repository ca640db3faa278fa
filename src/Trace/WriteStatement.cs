using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>A prepared statement that changes rows; parameters are numbered from 1. Not for several threads.</summary>
internal sealed class WriteStatement : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    /// <exception cref="SqliteFailure">The statement is wrong, or the database cannot be read.</exception>
    public WriteStatement(sqlite3 database, string sql)
    {
        _database = database;
        SqliteFailure.Check(raw.sqlite3_prepare_v2(database, sql, out _statement), database);
    }

    public WriteStatement Bind(int parameter, long value)
    {
        raw.sqlite3_bind_int64(_statement, parameter, value);
        return this;
    }

    public WriteStatement Bind(int parameter, long? value)
    {
        if (value is null)
        {
            raw.sqlite3_bind_null(_statement, parameter);
            return this;
        }

        return Bind(parameter, value.Value);
    }

    public WriteStatement Bind(int parameter, string? value)
    {
        if (value is null)
        {
            raw.sqlite3_bind_null(_statement, parameter);
        }
        else
        {
            raw.sqlite3_bind_text(_statement, parameter, value);
        }

        return this;
    }

    public WriteStatement Bind(int parameter, ReadOnlySpan<byte> value)
    {
        raw.sqlite3_bind_blob(_statement, parameter, value);
        return this;
    }

    /// <summary>Runs it; parameters keep their values.</summary>
    /// <exception cref="SqliteFailure">It failed.</exception>
    public void Run()
    {
        var result = raw.sqlite3_step(_statement);
        if (result != raw.SQLITE_DONE)
        {
            var failure = SqliteFailure.Last(_database);
            raw.sqlite3_reset(_statement);
            throw failure;
        }

        raw.sqlite3_reset(_statement);
    }

    public void Dispose() => _statement.Dispose();
}
