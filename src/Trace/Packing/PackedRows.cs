namespace NativeHeap.Trace.Packing;

/// <summary>The rows of a packed table in the order of their keys, those of all runs combined.</summary>
internal sealed class PackedRows : TableRows
{
    private const int MostRowsOfAStack = 1 << 22;

    private readonly TraceDatabase _database;
    private readonly PackedTable _table;
    private readonly int _width;
    private readonly PriorityQueue<PackedRun, (long, long, int)> _runs = new();
    private readonly List<PackedRun> _all = [];
    private readonly Dictionary<long, int> _peaksPassed = [];
    private long[] _group;
    private int _rows;
    private int _row = -1;

    private PackedRows(TraceDatabase database, PackedTable table)
    {
        _database = database;
        _table = table;
        _width = table.Columns.Length;
        _group = new long[16 * _width];
    }

    /// <summary>Begins to read a packed table.</summary>
    /// <param name="database">The trace.</param>
    /// <param name="table">Which.</param>
    /// <param name="bucketNs">Width of the buckets of time that rows are wanted in; 0: as they are.</param>
    /// <returns>Null when the trace has no piece of it.</returns>
    /// <exception cref="TraceException">The trace is damaged.</exception>
    public static PackedRows? TryOpen(TraceDatabase database, PackedTable table, long bucketNs)
    {
        var rows = new PackedRows(database, table);
        using var head = new Statement(
            database, "packed", "id, run, rows, bucket_ns", $"WHERE content = '{table.Content}' ORDER BY id");
        var last = 0;
        PackedRun? run = null;
        while (head.Next())
        {
            var number = head.Int(1, Math.Max(last, 1), Limits.Rows);
            if (number != last)
            {
                run = new PackedRun(database, table, rows._all.Count, bucketNs);
                rows._all.Add(run);
                last = number;
            }

            run!.Add(new PieceHead(
                head.Int(0, 1, Limits.Rows),
                head.Int(2, 1, PieceEncoder.MostRows),
                table.HasTimeBuckets ? head.Long(3, 1, Limits.TimeNs) : 0));
        }

        return run is null ? null : rows;
    }

    public override bool Next()
    {
        if (_row < 0)
        {
            Start();
        }

        _row++;
        while (_row >= _rows)
        {
            if (_runs.Count == 0)
            {
                return false;
            }

            ReadGroup();
            _row = 0;
        }

        return true;
    }

    /// <summary>The whole row.</summary>
    public ReadOnlySpan<long> Row => _group.AsSpan(_row * _width, _width);

    public override bool IsNull(int column) => _group[(_row * _width) + column] == 0 && Name(column) == "thread_id";

    public override long Long(int column, long min, long max)
    {
        var value = _group[(_row * _width) + column];
        return value >= min && value <= max ? value : throw Damaged(column, "out of range");
    }

    public override TraceException Damaged(int column, string what) =>
        _database.Damaged($"{_table.Name}.{Name(column)} is {what}");

    public override void Dispose()
    {
    }

    private string Name(int column) => _table.Columns[column].Name;

    private void Start()
    {
        foreach (var run in _all)
        {
            if (run.Next())
            {
                _runs.Enqueue(run, (run.Key.First, run.Key.Second, run.Order));
            }
        }
    }

    // All rows with the same first two columns, in the order in which they were written, become what they come to.
    private void ReadGroup()
    {
        var key = _runs.Peek().Key;
        var lastOrder = 0;
        _rows = 0;
        while (_runs.TryPeek(out var run, out _) && run.Key == key)
        {
            if (_rows == MostRowsOfAStack)
            {
                throw Damaged(0, "there too often");
            }

            if ((_rows + 1) * _width > _group.Length)
            {
                Array.Resize(ref _group, _group.Length * 2);
            }

            run.CopyTo(_group.AsSpan(_rows++ * _width, _width));
            lastOrder = run.Order;
            if (run.Next())
            {
                if (_runs.Count > 1 || run.Key != key)
                {
                    _runs.DequeueEnqueue(run, (run.Key.First, run.Key.Second, lastOrder));
                }
            }
            else
            {
                _runs.Dequeue();
            }
        }

        switch (_table.Combining)
        {
            case Combining.Latest: TakeLatest(key, lastOrder); break;
            case Combining.Sum: AddUp(); break;
            default: break;
        }
    }

    private void TakeLatest((long Process, long Stack) key, int order)
    {
        if (key.Stack == 0)
        {
            _peaksPassed[key.Process] = order;
            _rows = 0;
            return;
        }

        _group.AsSpan((_rows - 1) * _width, _width).CopyTo(_group);
        _rows = 1;
        if (_peaksPassed.TryGetValue(key.Process, out var passed) && order < passed)
        {
            const int PeakBlocks = 8;
            _group.AsSpan(PeakBlocks, 2).Clear();
        }
    }

    private void AddUp()
    {
        SortByKey();
        var sums = 0;
        for (var i = 0; i < _rows; i++)
        {
            var row = _group.AsSpan(i * _width, _width);
            if (sums > 0 && _group.AsSpan((sums - 1) * _width, _table.Keys).SequenceEqual(row[.._table.Keys]))
            {
                for (var column = _table.Keys; column < _width; column++)
                {
                    unchecked
                    {
                        _group[((sums - 1) * _width) + column] += row[column];
                    }
                }

                continue;
            }

            sums = DropIfNothing(sums);
            row.CopyTo(_group.AsSpan(sums++ * _width, _width));
        }

        _rows = DropIfNothing(sums);
    }

    // The last sum, when it counts no block, is no row.
    private int DropIfNothing(int sums) => sums > 0 && _group[((sums - 1) * _width) + _table.Keys] == 0 ? sums - 1 : sums;

    private void SortByKey()
    {
        for (var i = 1; i < _rows; i++)
        {
            if (Compare(i - 1, i) > 0)
            {
                Sort();
                return;
            }
        }
    }

    private void Sort()
    {
        var places = new int[_rows];
        for (var i = 0; i < _rows; i++)
        {
            places[i] = i;
        }

        Array.Sort(places, (a, b) => Compare(a, b));
        var sorted = new long[_group.Length];
        for (var i = 0; i < _rows; i++)
        {
            _group.AsSpan(places[i] * _width, _width).CopyTo(sorted.AsSpan(i * _width));
        }

        _group = sorted;
    }

    private int Compare(int a, int b) =>
        _group.AsSpan(a * _width, _table.Keys).SequenceCompareTo(_group.AsSpan(b * _width, _table.Keys));
}
