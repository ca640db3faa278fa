using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using NativeHeap.Model;
using NativeHeap.Trace.Packing;
using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>
/// Writes one trace. Rows go in between <see cref="Begin"/> and <see cref="Commit"/>; what was committed is whole and
/// readable whatever happens to us afterwards, also by others while the recording goes on (WAL mode). Only
/// <see cref="Close"/> makes the trace say that it is complete. Not for several threads at once.
/// </summary>
public sealed partial class TraceWriter : IDisposable
{
    private const int BusyMilliseconds = 10_000;
    private static readonly TimeSpan s_patienceWithReaders = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(5);
    private static readonly string[] Companions = ["", "-wal", "-shm", "-journal"];

    private readonly sqlite3 _database;
    private readonly List<WriteStatement> _statements = [];
    private readonly PackedWriter _packed;
    private bool _isInTransaction;
    private bool _isClosed;

    private TraceWriter(string path, sqlite3 database)
    {
        Path = path;
        _database = database;
        PrepareStatements();
        _packed = new PackedWriter(path, database);
    }

    /// <summary>The file, as the user named it.</summary>
    public string Path { get; }

    /// <summary>Makes a new trace with every table and no row.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overwrite">Whether a file of that name may be replaced.</param>
    /// <exception cref="TraceWriteException">There is such a file, or it cannot be written.</exception>
    public static TraceWriter Create(string path, bool overwrite = false)
    {
        Batteries_V2.Init();
        MakeFile(path, overwrite);
        sqlite3? database = null;
        try
        {
            var flags = raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX; // never two threads at once
            var result = raw.sqlite3_open_v2(System.IO.Path.GetFullPath(path), out database, flags, null);
            SqliteFailure.Check(result, database);
            raw.sqlite3_busy_timeout(database, BusyMilliseconds);
            Execute(database, "PRAGMA auto_vacuum = INCREMENTAL"); // before there is anything in it
            Execute(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY");
            Execute(database, $"PRAGMA cache_size = -16384; BEGIN; {Schema()}; COMMIT");
            return new TraceWriter(path, database);
        }
        catch (SqliteFailure failure)
        {
            database?.Dispose();
            Delete(path);
            throw Explain(path, failure, ExitCodes.Usage);
        }
    }

    /// <summary>Begins the next set of rows, which becomes visible as a whole.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Begin()
    {
        Guard(() => Execute(_database, "BEGIN IMMEDIATE"));
        _isInTransaction = true;
    }

    /// <summary>Makes the rows since <see cref="Begin"/> part of the trace.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written; the rows are not part of it.</exception>
    public void Commit()
    {
        Guard(() =>
        {
            _packed.Flush();
            Execute(_database, "COMMIT");
        });
        _isInTransaction = false;
    }

    /// <summary>Sets a value of <c>meta</c>: text, integer or null.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void SetMeta(string key, string? value) => Guard(() => _metaText.Bind(1, key).Bind(2, value).Run());

    /// <summary>Sets a number of <c>meta</c>.</summary>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void SetMeta(string key, long value) => Guard(() =>
    {
        if (key == "bucket_ns" && value != _packed.BucketNs)
        {
            _packed.SetBuckets(value);
        }

        _metaNumber.Bind(1, key).Bind(2, value).Run();
    });

    /// <summary>Counts rows; combines them first, a second for several million.</summary>
    /// <returns>Rows of <c>cohort</c> and of <c>stack_total</c>.</returns>
    /// <exception cref="TraceWriteException">The file cannot be read.</exception>
    public (long Cohorts, long StackTotals) CountRows()
    {
        Begin();
        Guard(() =>
        {
            _packed.Merge(PackedTable.Cohort, CompressionLevel.Fastest);
            _packed.Merge(PackedTable.StackTotal, CompressionLevel.Fastest);
        });
        Commit();
        return (_packed.RowsAtMost(PackedTable.Cohort), _packed.RowsAtMost(PackedTable.StackTotal));
    }

    /// <summary>
    /// Says in <c>meta</c> that the recording ended in order, packs tightly, and leaves one file
    /// without companions (unless somebody is reading it; then the companions stay valid).
    /// </summary>
    /// <param name="endNs">End of the recording, nanoseconds since its start.</param>
    /// <param name="complete">Every event up to the last moment of each process was received.</param>
    /// <exception cref="TraceWriteException">The file cannot be written.</exception>
    public void Close(long endNs, bool complete)
    {
        Begin();
        Guard(() =>
        {
            foreach (var table in PackedTable.All)
            {
                _packed.Merge(table, CompressionLevel.Optimal);
            }
        });
        SetMeta("end_ns", endNs);
        SetMeta("complete", complete ? 1 : 0);
        Commit();
        FreeStatements();
        Guard(() => Execute(_database, "PRAGMA incremental_vacuum"));
        LeaveWalMode();
        _isClosed = true;
        _database.Dispose();
    }

    /// <summary>Gives the file up and removes it: nothing was recorded.</summary>
    public void Abandon()
    {
        Dispose();
        Delete(Path);
    }

    /// <summary>Gives the file up. Without <see cref="Close"/> the trace stays as of the last commit, and says so.</summary>
    public void Dispose()
    {
        if (_isClosed)
        {
            return;
        }

        _isClosed = true;
        FreeStatements();
        if (_isInTransaction)
        {
            _ = raw.sqlite3_exec(_database, "ROLLBACK");
        }

        _database.Dispose();
    }

    // Whoever reads the trace just now keeps the journal. Most are done in a moment; of one that is not, the trace stays in
    // WAL mode, and is as good, as long as it is not copied without the journal.
    private void LeaveWalMode()
    {
        raw.sqlite3_busy_timeout(_database, 0);
        for (var clock = Stopwatch.StartNew(); !TryLeaveWalMode() && clock.Elapsed < s_patienceWithReaders;)
        {
            Thread.Sleep(s_lookAgain);
        }
    }

    private bool TryLeaveWalMode()
    {
        try
        {
            Execute(_database, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE");
            return true;
        }
        catch (SqliteFailure failure) when ((failure.Result & 0xFF) is raw.SQLITE_BUSY or raw.SQLITE_LOCKED)
        {
            return false; // the reader's
        }
        catch (SqliteFailure failure)
        {
            throw Explain(Path, failure, ExitCodes.Fault);
        }
    }

    private static void MakeFile(string path, bool overwrite)
    {
        try
        {
            if (Directory.Exists(path))
            {
                throw new TraceWriteException(path, "is a directory", ExitCodes.Usage);
            }

            if (overwrite)
            {
                Delete(path);
            }

            // Fails when the file exists, so that of two recordings with one name the second is refused.
            // What a program does is its user's business; SQLite gives its other files the same mode.
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new TraceWriteException(path, "exists already; --force replaces it", ExitCodes.Usage);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new TraceWriteException(path, "its folder does not exist", ExitCodes.Usage, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new TraceWriteException(path, "permission denied", ExitCodes.Usage, e);
        }
        catch (IOException e)
        {
            throw new TraceWriteException(path, $"cannot be made ({e.Message})", ExitCodes.Usage, e);
        }
    }

    private static void Delete(string path)
    {
        foreach (var companion in Companions)
        {
            File.Delete(path + companion);
        }
    }

    private static string Schema()
    {
        using var stream = typeof(TraceWriter).Assembly.GetManifestResourceStream("schema.sql")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static void Execute(sqlite3 database, string sql) =>
        SqliteFailure.Check(raw.sqlite3_exec(database, sql), database);

    internal static TraceWriteException Explain(string path, SqliteFailure failure, int exitCode) =>
        new(
            path,
            (failure.Result & 0xFF) switch
            {
                raw.SQLITE_FULL => "no room left on the disk",
                raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_CANTOPEN => "cannot be written",
                raw.SQLITE_BUSY or raw.SQLITE_LOCKED => "locked by another program",
                raw.SQLITE_NOMEM => "too little memory to write it",
                raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => "was changed by another program while it was written",
                _ => $"cannot be written ({failure.Message})",
            },
            exitCode,
            failure);

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (SqliteFailure failure)
        {
            throw Explain(Path, failure, ExitCodes.Fault);
        }
        catch (TraceException changed)
        {
            throw new TraceWriteException(
                Path, "was changed by another program while it was written", ExitCodes.Fault, changed);
        }
    }

    private WriteStatement Prepare(string sql)
    {
        var statement = new WriteStatement(_database, sql);
        _statements.Add(statement);
        return statement;
    }

    private void FreeStatements()
    {
        foreach (var statement in _statements)
        {
            statement.Dispose();
        }

        _statements.Clear();
        _packed.Dispose();
    }
}
