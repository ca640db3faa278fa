using System.IO.Compression;
using SQLitePCL;

namespace NativeHeap.Trace.Packing;

/// <summary>
/// Writes the pieces of packed tables. What a transaction adds is a run of its own; when there are many, all become one,
/// so that a trace grows with what it says and not with how often it was said. Not for several threads at once.
/// </summary>
internal sealed class PackedWriter : IDisposable
{
    private const int MostRuns = 1000;
    private const long LeastBytesToMerge = 256 << 10;

    private readonly TraceDatabase _database;
    private readonly WriteStatement _insert;
    private readonly WriteStatement _delete;
    private readonly Dictionary<PackedTable, Part> _parts = PackedTable.All.ToDictionary(table => table, table => new Part(table));
    private Part _last; // the part that rows were added to last
    private int _runs;

    /// <exception cref="SqliteFailure">The database cannot be read.</exception>
    public PackedWriter(string path, sqlite3 database)
    {
        _database = TraceDatabase.OfWriter(path, database);
        _insert = new WriteStatement(
            database, "INSERT INTO packed (content, run, rows, bucket_ns, data) VALUES (?1, ?2, ?3, ?4, ?5)");
        _delete = new WriteStatement(database, "DELETE FROM packed WHERE content = ?1 AND run < ?2");
        _last = _parts[PackedTable.Stack];
    }

    /// <summary>How wide buckets of time are in what is added from now on.</summary>
    public long BucketNs { get; private set; } = 10_000_000;

    /// <summary>Rows of a table, where those that wait to be combined count each.</summary>
    public long RowsAtMost(PackedTable table) => _parts[table].Rows;

    /// <summary>Adds a row. Rows that do not rise begin another run.</summary>
    /// <exception cref="SqliteFailure">The file cannot be written.</exception>
    public void Add(PackedTable table, ReadOnlySpan<long> row)
    {
        var part = PartOf(table);
        var key = (row[0], row[1]);
        if (part.Run != 0 && key.CompareTo(part.Last) < 0)
        {
            EndRun(part);
        }

        if (part.Run == 0)
        {
            part.Run = ++_runs;
            part.RunCount++;
        }

        part.Last = key;
        part.Encoder.Add(row);
        part.Rows++;
        if (part.Encoder.Rows == PieceEncoder.MostRows)
        {
            Flush(part, CompressionLevel.Fastest);
        }
    }

    /// <summary>What follows is written after what was added so far.</summary>
    /// <exception cref="SqliteFailure">The file cannot be written.</exception>
    public void EndRun(PackedTable table) => EndRun(_parts[table]);

    /// <summary>Puts everything that was added into the file.</summary>
    /// <exception cref="SqliteFailure">The file cannot be written.</exception>
    /// <exception cref="TraceException">The file was changed by another program.</exception>
    public void Flush()
    {
        foreach (var part in _parts.Values)
        {
            EndRun(part);
            if (part.RunCount > MostRuns || part.NewBytes > Math.Max(LeastBytesToMerge, part.MergedBytes))
            {
                Merge(part, CompressionLevel.Fastest);
            }
        }
    }

    /// <summary>Makes one run of all runs of a table.</summary>
    /// <exception cref="SqliteFailure">The file cannot be written.</exception>
    /// <exception cref="TraceException">The file was changed by another program.</exception>
    public void Merge(PackedTable table, CompressionLevel level)
    {
        EndRun(_parts[table]);
        Merge(_parts[table], level);
    }

    /// <summary>Sets how wide buckets are from now on.</summary>
    /// <exception cref="SqliteFailure">The file cannot be written.</exception>
    public void SetBuckets(long bucketNs)
    {
        EndRun(PackedTable.Cohort);
        BucketNs = bucketNs;
    }

    public void Dispose()
    {
        _insert.Dispose();
        _delete.Dispose();
    }

    private Part PartOf(PackedTable table) => _last.Table == table ? _last : _last = _parts[table];

    private void EndRun(Part part)
    {
        Flush(part, CompressionLevel.Fastest);
        part.Run = 0;
    }

    private void Flush(Part part, CompressionLevel level)
    {
        var rows = part.Encoder.Rows;
        if (rows == 0)
        {
            return;
        }

        var piece = part.Encoder.Take(level);
        part.NewBytes += piece.Length;
        _insert.Bind(1, part.Table.Content).Bind(2, part.Run).Bind(3, rows).Bind(4, BucketNs).Bind(5, piece).Run();
    }

    private void Merge(Part part, CompressionLevel level)
    {
        using var rows = PackedRows.TryOpen(_database, part.Table, BucketNs);
        if (rows is null)
        {
            return;
        }

        part.Run = ++_runs;
        part.Rows = 0;
        part.NewBytes = 0;
        while (rows.Next())
        {
            part.Encoder.Add(rows.Row);
            part.Rows++;
            if (part.Encoder.Rows == PieceEncoder.MostRows)
            {
                Flush(part, level);
            }
        }

        Flush(part, level);
        _delete.Bind(1, part.Table.Content).Bind(2, part.Run).Run();
        part.MergedBytes = part.NewBytes;
        part.NewBytes = 0;
        part.RunCount = 1;
        part.Run = 0;
    }

    private sealed class Part(PackedTable table)
    {
        public PackedTable Table { get; } = table;

        public PieceEncoder Encoder { get; } = new(table);

        public long Rows { get; set; }

        public int RunCount { get; set; }

        public int Run { get; set; } // 0: none is being written

        public (long, long) Last { get; set; }

        public long NewBytes { get; set; } // since all runs were one

        public long MergedBytes { get; set; }
    }
}
