using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>
/// Opens a trace for reading so that neither its bytes nor its journal change, whatever state it is in: closed,
/// being written, left behind by a collector that was killed, in a folder that cannot be written.
/// </summary>
internal sealed class TraceDatabase : IDisposable
{
    private const int BusyMilliseconds = 5000;

    private readonly sqlite3 _handle;
    private readonly string? _copy;

    private readonly WorkBudget? _budget;

    private TraceDatabase(string path, sqlite3 handle, string? copy, WorkBudget? budget)
    {
        Path = path;
        _handle = handle;
        _copy = copy;
        _budget = budget;
    }

    /// <summary>The file, as the user named it.</summary>
    public string Path { get; }

    /// <summary>The journals that may stand beside a database of ours.</summary>
    private static readonly string[] JournalSuffixes = ["-wal", "-journal"];

    /// <summary>Opens the file and begins a read transaction, so that all answers are of one moment.</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <exception cref="TraceException">It is no database that could be read.</exception>
    public static TraceDatabase Open(string path)
    {
        Batteries_V2.Init();
        CheckFile(path);
        var full = System.IO.Path.GetFullPath(path);
        try
        {
            return Begin(path, full, full, raw.SQLITE_OPEN_READONLY);
        }
        catch (SqliteFailure e) when ((e.Result & 0xFF) is raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY)
        {
            // SQLite wants to make its -shm file, or to roll a journal back, and may not.
            return OpenUnwritable(path, full);
        }
        catch (SqliteFailure e)
        {
            throw Explain(path, e);
        }
    }

    /// <summary>Lets queries take as long as they take.</summary>
    public void LiftBudget() => raw.sqlite3_progress_handler(_handle, 0, (delegate_progress?)null, null);

    /// <summary>Lets queries do nothing but read: no other file, no setting.</summary>
    public void OpenToUser() => raw.sqlite3_set_authorizer(_handle, Authorize, null);

    /// <summary>A trace that is being written, as its writer sees it; not to be disposed of.</summary>
    public static TraceDatabase OfWriter(string path, sqlite3 handle) => new(path, handle, null, null);

    /// <summary>A database in memory, made by a script of ours.</summary>
    public static TraceDatabase OpenEmpty(string script)
    {
        Batteries_V2.Init();
        SqliteFailure.Check(raw.sqlite3_open(":memory:", out var handle), handle);
        SqliteFailure.Check(raw.sqlite3_exec(handle, script), handle);
        return new TraceDatabase(":memory:", handle, null, null);
    }

    /// <summary>Prepares a query.</summary>
    /// <exception cref="TraceException">The database cannot be read.</exception>
    public sqlite3_stmt Prepare(string sql)
    {
        _budget?.Restart();
        return raw.sqlite3_prepare_v2(_handle, sql, out var statement) == raw.SQLITE_OK ? statement : throw Failure();
    }

    /// <summary>Carries out statements that give no rows.</summary>
    /// <exception cref="TraceException">They cannot be carried out.</exception>
    public void Execute(string sql)
    {
        if (raw.sqlite3_exec(_handle, sql) != raw.SQLITE_OK)
        {
            throw Failure();
        }
    }

    /// <summary>What SQLite said last, in one line.</summary>
    public string LastMessage => OneLine(raw.sqlite3_errmsg(_handle).utf8_to_string());

    /// <summary>Prepares the first statement of a text that may be none.</summary>
    /// <param name="sql">Any text.</param>
    /// <param name="rest">What stands behind the first statement.</param>
    /// <returns>Null when SQLite refuses it; invalid when there is no statement.</returns>
    public sqlite3_stmt? TryPrepare(string sql, out string rest) =>
        raw.sqlite3_prepare_v2(_handle, sql, out var statement, out rest) == raw.SQLITE_OK ? statement : null;

    /// <summary>The error to throw after SQLite reported one.</summary>
    public TraceException Failure() => Explain(Path, SqliteFailure.Last(_handle));

    /// <summary>The error to throw for content that no recording writes.</summary>
    public TraceException Damaged(string what) => new(Path, $"damaged ({what})");

    /// <inheritdoc/>
    public void Dispose()
    {
        _handle.Dispose();
        DeleteCopy(_copy);
    }

    private static int Authorize(object user, int action, string first, string second, string database, string by) =>
        action is raw.SQLITE_SELECT or raw.SQLITE_READ or raw.SQLITE_FUNCTION or raw.SQLITE_RECURSIVE
            ? raw.SQLITE_OK
            : raw.SQLITE_DENY;

    /// <summary>The one line for what SQLite or the reader found wrong.</summary>
    private static TraceException Explain(string path, SqliteFailure e) => (e.Result & 0xFF) switch
    {
        raw.SQLITE_NOTADB => new TraceException(path, "not a trace (no SQLite file)", e),
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new TraceException(path, "locked by another program; try again", e),
        raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_PERM => new TraceException(path, "cannot be opened", e),
        raw.SQLITE_NOMEM => new TraceException(path, "too little memory to read it", e),
        _ => new TraceException(path, $"damaged or cut short ({OneLine(e.Message)})", e),
    };

    private static string OneLine(string text) =>
        string.Concat(text.Take(200).Select(c => char.IsControl(c) ? ' ' : c));

    private static void CheckFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new TraceException(path, "is a directory, not a trace");
        }

        if (!File.Exists(path))
        {
            throw new TraceException(path, "no such file");
        }

        if (!FileType.IsRegular(path))
        {
            throw new TraceException(path, "is no regular file");
        }

        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            FileHeader.Check(path, file, hasLog: Length(path + "-wal") > 0);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new TraceException(path, "permission denied", e);
        }
        catch (IOException e)
        {
            throw new TraceException(path, $"cannot be read ({OneLine(e.Message)})", e);
        }
    }

    private static TraceDatabase OpenUnwritable(string path, string full)
    {
        string? copy = null;
        try
        {
            if (JournalSuffixes.Any(suffix => Length(full + suffix) > 0))
            {
                copy = Copy(full);
                var name = System.IO.Path.Combine(copy, System.IO.Path.GetFileName(full));
                return Begin(path, full, name, raw.SQLITE_OPEN_READWRITE, copy);
            }

            // Nothing beside it, so nobody writes it: no locks, no side files.
            var uri = $"file:{EscapeUri(full)}?immutable=1";
            return Begin(path, full, uri, raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_URI);
        }
        catch (SqliteFailure e)
        {
            DeleteCopy(copy);
            throw Explain(path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DeleteCopy(copy);
            throw new TraceException(path, $"its journal cannot be read ({OneLine(e.Message)})", e);
        }
    }

    private static long Length(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? file.Length : 0;
    }

    private static string EscapeUri(string path) =>
        path.Replace("%", "%25", StringComparison.Ordinal)
            .Replace("?", "%3f", StringComparison.Ordinal)
            .Replace("#", "%23", StringComparison.Ordinal);

    private static string Copy(string full)
    {
        var directory = Directory.CreateTempSubdirectory("nativeheap-copy-").FullName;
        try
        {
            foreach (var suffix in JournalSuffixes.Prepend(""))
            {
                if (File.Exists(full + suffix))
                {
                    var copy = System.IO.Path.Combine(directory, System.IO.Path.GetFileName(full) + suffix);
                    File.Copy(full + suffix, copy);
                    File.SetUnixFileMode(copy, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                }
            }

            return directory;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            DeleteCopy(directory);
            throw;
        }
    }

    private static void DeleteCopy(string? directory)
    {
        if (directory is not null)
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static TraceDatabase Begin(string path, string full, string name, int flags, string? copy = null)
    {
        var budget = new WorkBudget(JournalSuffixes.Prepend("").Sum(suffix => Length(full + suffix)));
        // A reader is of one thread; without SQLite's own locks a row costs a tenth less.
        var result = raw.sqlite3_open_v2(name, out var database, flags | raw.SQLITE_OPEN_NOMUTEX, null);
        try
        {
            SqliteFailure.Check(result, database);
            Harden(database);
            budget.Install(database);

            // Reading something pins the moment; BEGIN alone does not.
            SqliteFailure.Check(raw.sqlite3_exec(database, "BEGIN; SELECT count(*) FROM sqlite_schema"), database);
            return new TraceDatabase(path, database, copy, budget);
        }
        catch (SqliteFailure)
        {
            database.Dispose();
            throw;
        }
    }

    private static void Harden(sqlite3 database)
    {
        raw.sqlite3_busy_timeout(database, BusyMilliseconds);
        raw.sqlite3_limit(database, raw.SQLITE_LIMIT_LENGTH, Limits.RowBytes);
        Configure(database, raw.SQLITE_DBCONFIG_DEFENSIVE, 1);
        Configure(database, raw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
        Configure(database, raw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0);
        Configure(database, raw.SQLITE_DBCONFIG_ENABLE_VIEW, 0);
        Configure(database, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1); // or the last to close would write the file
        SqliteFailure.Check(raw.sqlite3_exec(database, "PRAGMA cell_size_check = ON"), database);
    }

    private static void Configure(sqlite3 database, int option, int value) =>
        SqliteFailure.Check(raw.sqlite3_db_config(database, option, value, out _), database);
}
