using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>
/// One query on a trace whose content is not trusted: every column is taken with the type and the range it must have,
/// anything else is a <see cref="TraceException"/>. Not for several threads.
/// </summary>
internal sealed class Statement : IDisposable
{
    private readonly TraceDatabase _database;
    private readonly sqlite3_stmt _statement;
    private readonly string _table;

    /// <summary>Asks for columns of one table; <paramref name="rest"/> may filter and order.</summary>
    public Statement(TraceDatabase database, string table, string columns, string rest = "")
    {
        _database = database;
        _table = table;
        _statement = database.Prepare($"SELECT {columns} FROM {table} {rest}");
    }

    /// <summary>Moves to the next row; false after the last.</summary>
    public bool Next()
    {
        var result = raw.sqlite3_step(_statement);
        if (result == raw.SQLITE_ROW)
        {
            return true;
        }

        if (result != raw.SQLITE_DONE)
        {
            throw _database.Failure();
        }

        return false;
    }

    public void Bind(int parameter, long value) => raw.sqlite3_bind_int64(_statement, parameter, value);

    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    public long Long(int column, long min, long max)
    {
        if (raw.sqlite3_column_type(_statement, column) != raw.SQLITE_INTEGER)
        {
            throw Damaged(column, "no number");
        }

        var value = raw.sqlite3_column_int64(_statement, column);
        return value >= min && value <= max ? value : throw Damaged(column, "out of range");
    }

    /// <summary>A count or a size: not negative, and small enough that a few can be added.</summary>
    public long Count(int column) => Long(column, 0, long.MaxValue / 4);

    public int Int(int column, int min, int max) => (int)Long(column, min, max);

    public long? LongOrNull(int column, long min, long max) => IsNull(column) ? null : Long(column, min, max);

    public int? IntOrNull(int column, int min, int max) => IsNull(column) ? null : Int(column, min, max);

    /// <summary>An address: SQLite's integers are signed, so its upper half is stored negative.</summary>
    public ulong Address(int column) => unchecked((ulong)Long(column, long.MinValue, long.MaxValue));

    public string Text(int column, int maxBytes = Limits.TextBytes)
    {
        if (raw.sqlite3_column_type(_statement, column) != raw.SQLITE_TEXT)
        {
            throw Damaged(column, "no text");
        }

        return raw.sqlite3_column_bytes(_statement, column) <= maxBytes
            ? raw.sqlite3_column_text(_statement, column).utf8_to_string()
            : throw Damaged(column, "too long");
    }

    public string? TextOrNull(int column, int maxBytes = Limits.TextBytes) =>
        IsNull(column) ? null : Text(column, maxBytes);

    /// <summary>The error to throw for a value that cannot be.</summary>
    public TraceException Damaged(int column, string what) =>
        _database.Damaged($"{_table}.{raw.sqlite3_column_name(_statement, column).utf8_to_string()} is {what}");

    public void Dispose() => _statement.Dispose();
}
