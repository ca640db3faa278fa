using NativeHeap.Model;
using SQLitePCL;

namespace NativeHeap.Trace;

/// <summary>Adds to a trace that a recording is writing what others found out at one of its snapshots. Each addition is one
/// short transaction, for which the recording waits.</summary>
public static class TraceAddition
{
    private const int BusyMilliseconds = 5_000;

    /// <summary>Adds what the objects of a process were at a snapshot.</summary>
    /// <param name="path">The trace.</param>
    /// <param name="snapshot">The snapshot's number.</param>
    /// <param name="process">The process.</param>
    /// <param name="types">Each type once.</param>
    /// <exception cref="TraceWriteException">It cannot be written; nothing was added (exit code 1).</exception>
    public static void AddTypes(string path, int snapshot, ProcessId process, IEnumerable<TypeCount> types)
    {
        ArgumentNullException.ThrowIfNull(types);
        Batteries_V2.Init();
        sqlite3? database = null;
        try
        {
            var flags = raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX;
            SqliteFailure.Check(raw.sqlite3_open_v2(Path.GetFullPath(path), out database, flags, null), database);
            raw.sqlite3_busy_timeout(database, BusyMilliseconds);
            SqliteFailure.Check(raw.sqlite3_exec(database, "BEGIN IMMEDIATE"), database);
            using (var row = new WriteStatement(database, "INSERT OR REPLACE INTO snapshot_type (snapshot_id, process_id, type, kind, found_by, count, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))
            {
                foreach (var type in types)
                {
                    row.Bind(1, snapshot).Bind(2, process.Value).Bind(3, type.Type).Bind(4, type.Kind.Name())
                        .Bind(5, type.FoundBy).Bind(6, type.Count).Bind(7, type.Bytes).Run();
                }
            }

            SqliteFailure.Check(raw.sqlite3_exec(database, "COMMIT"), database);
        }
        catch (SqliteFailure failure)
        {
            throw TraceWriter.Explain(path, failure, ExitCodes.Fault);
        }
        finally
        {
            database?.Dispose();
        }
    }
}
