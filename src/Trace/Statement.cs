using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>
/// One query on a trace whose content is not trusted: every column is taken with the type and the range it must have,
/// anything else is a <see cref="TraceException"/>. Not for several threads.
/// </summary>
internal sealed class Statement : TableRows
{
    private readonly TraceDatabase _database;
    private readonly sqlite3_stmt _statement;
    private readonly nint _handle;
    private readonly string _table;

    /// <summary>Asks for columns of one table; <paramref name="rest"/> may filter and order.</summary>
    public Statement(TraceDatabase database, string table, string columns, string rest = "")
    {
        _database = database;
        _table = table;
        _statement = database.Prepare($"SELECT {columns} FROM {table} {rest}");
        _handle = _statement.DangerousGetHandle(); // alive as long as this object is in use
    }

    public override bool Next()
    {
        var result = SqliteRows.Step(_handle);
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

    public override bool IsNull(int column) => SqliteRows.ColumnType(_handle, column) == raw.SQLITE_NULL;

    public override long Long(int column, long min, long max)
    {
        if (SqliteRows.ColumnType(_handle, column) != raw.SQLITE_INTEGER)
        {
            throw Damaged(column, "no number");
        }

        var value = SqliteRows.ColumnInt64(_handle, column);
        return value >= min && value <= max ? value : throw Damaged(column, "out of range");
    }

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

    public byte[] Blob(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_BLOB
        ? raw.sqlite3_column_blob(_statement, column).ToArray()
        : throw Damaged(column, "no bytes");

    public override TraceException Damaged(int column, string what) =>
        _database.Damaged($"{_table}.{raw.sqlite3_column_name(_statement, column).utf8_to_string()} is {what}");

    public override void Dispose() => _statement.Dispose();
}
