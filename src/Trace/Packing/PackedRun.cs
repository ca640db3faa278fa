namespace NativeHeap.Trace.Packing;

/// <summary>A piece, without what is in it.</summary>
/// <param name="Id">Its row in <c>packed</c>.</param>
/// <param name="Rows">Rows in it.</param>
/// <param name="BucketNs">How wide buckets of time were when it was written.</param>
internal readonly record struct PieceHead(int Id, int Rows, long BucketNs);

/// <summary>Goes through the pieces of one run, whose rows rise by their first two columns.</summary>
internal sealed class PackedRun
{
    private readonly TraceDatabase _database;
    private readonly PackedTable _table;
    private readonly List<PieceHead> _pieces = [];
    private readonly long _bucketNs;
    private PieceDecoder? _piece;
    private long _ratio;
    private int _next;
    private (long, long) _last = (long.MinValue, long.MinValue);

    /// <param name="database">Where it is.</param>
    /// <param name="table">What it is of.</param>
    /// <param name="order">Runs with a higher number were written later.</param>
    /// <param name="bucketNs">Width of the buckets that rows are wanted in; 0: as they are.</param>
    public PackedRun(TraceDatabase database, PackedTable table, int order, long bucketNs)
    {
        Order = order;
        _database = database;
        _table = table;
        _bucketNs = bucketNs;
    }

    /// <summary>The first two columns of the row.</summary>
    public (long First, long Second) Key => _last;

    /// <summary>Its place among the runs.</summary>
    public int Order { get; }

    /// <summary>Adds the next piece, before the first row is read.</summary>
    public void Add(PieceHead piece) => _pieces.Add(piece);

    /// <summary>Copies the row.</summary>
    public void CopyTo(Span<long> row)
    {
        _piece!.Row.CopyTo(row);
        if (_ratio > 1)
        {
            row[2] /= _ratio;
            row[3] = row[3] < 0 ? row[3] : row[3] / _ratio;
        }
    }

    /// <summary>Moves to the next row; false after the last.</summary>
    /// <exception cref="TraceException">It is damaged.</exception>
    public bool Next()
    {
        try
        {
            while (_piece is null || !_piece.Next())
            {
                if (_next == _pieces.Count)
                {
                    _piece = null;
                    return false;
                }

                Open(_pieces[_next++]);
            }
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e.Message);
        }

        var key = (_piece.Row[0], _piece.Row[1]);
        if (_table.Combining != Combining.None && key.CompareTo(_last) < 0)
        {
            throw Damaged("is out of order");
        }

        _last = key;
        return true;
    }

    private void Open(PieceHead head)
    {
        _ratio = _table.HasTimeBuckets && _bucketNs != 0 ? _bucketNs / head.BucketNs : 1;
        if (_ratio < 1)
        {
            throw Damaged("has wider buckets than the trace");
        }

        using var data = new Statement(_database, "packed", "data", "WHERE id = ?1");
        data.Bind(1, head.Id);
        _piece = data.Next() ? new PieceDecoder(_table, head.Rows, data.Blob(0)) : throw Damaged("is missing");
    }

    private TraceException Damaged(string what) =>
        _database.Damaged($"packed {(_next == 0 ? 0 : _pieces[_next - 1].Id)} ({_table.Content}) {what}");
}
