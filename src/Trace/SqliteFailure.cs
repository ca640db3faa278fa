using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>An error of SQLite on its way to becoming a <see cref="TraceException"/>.</summary>
internal sealed class SqliteFailure : Exception
{
    private SqliteFailure(string message, int result)
        : base(message)
    {
        Result = result;
    }

    /// <summary>SQLite's extended result code.</summary>
    public int Result { get; }

    /// <summary>What SQLite reported last.</summary>
    public static SqliteFailure Last(sqlite3 database) =>
        new(raw.sqlite3_errmsg(database).utf8_to_string(), raw.sqlite3_extended_errcode(database));

    /// <summary>Does nothing when <paramref name="result"/> says that all is well.</summary>
    /// <exception cref="SqliteFailure">All is not.</exception>
    public static void Check(int result, sqlite3 database)
    {
        if (result != raw.SQLITE_OK)
        {
            throw Last(database);
        }
    }
}
