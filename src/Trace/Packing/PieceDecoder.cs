using System.IO.Compression;

namespace NativeHeap.Trace.Packing;

/// <summary>Reads a piece row by row. What is in it is not trusted.</summary>
internal sealed class PieceDecoder
{
    private readonly PackedColumn[] _columns;
    private readonly byte[] _bytes;
    private readonly int[] _positions;
    private readonly int[] _ends;
    private readonly long[] _row;
    private int _rowsLeft;

    /// <exception cref="InvalidDataException">It is no such piece.</exception>
    public PieceDecoder(PackedTable table, int rows, byte[] piece)
    {
        _columns = table.Columns;
        _row = new long[_columns.Length];
        _positions = new int[_columns.Length];
        _ends = new int[_columns.Length];
        _rowsLeft = rows;
        _bytes = Unpack(piece, (rows + 1) * _columns.Length * PieceEncoder.MostBytes);
        FindColumns();
    }

    /// <summary>The row, valid until the next.</summary>
    public ReadOnlySpan<long> Row => _row;

    /// <summary>Moves to the next row; false after the last.</summary>
    /// <exception cref="InvalidDataException">It is no such piece.</exception>
    public bool Next()
    {
        if (_rowsLeft == 0)
        {
            return _positions.AsSpan().SequenceEqual(_ends) ? false : throw new InvalidDataException("holds too many rows");
        }

        _rowsLeft--;
        for (var i = 0; i < _columns.Length; i++)
        {
            var value = Number(ref _positions[i], _ends[i]);
            var difference = (long)(value >> 1) ^ -(long)(value & 1);
            _row[i] = _columns[i].Base switch
            {
                PackedColumn.Plain => difference,
                PackedColumn.RowBefore => unchecked(_row[i] + difference),
                var from => unchecked(_row[from] + difference),
            };
        }

        return true;
    }

    private static byte[] Unpack(byte[] piece, int mostBytes)
    {
        using var stream = new ZLibStream(new MemoryStream(piece), CompressionMode.Decompress);
        var bytes = new byte[Math.Min(mostBytes, Math.Max(4096, piece.Length * 4))];
        var length = 0;
        while (true)
        {
            var read = stream.Read(bytes, length, bytes.Length - length);
            if (read == 0)
            {
                break;
            }

            length += read;
            if (length == bytes.Length)
            {
                if (length >= mostBytes)
                {
                    throw new InvalidDataException("holds more than its rows");
                }

                Array.Resize(ref bytes, (int)Math.Min(mostBytes, length * 2L));
            }
        }

        Array.Resize(ref bytes, length);
        return bytes;
    }

    private void FindColumns()
    {
        var position = 0;
        for (var i = 0; i < _columns.Length; i++)
        {
            var length = Number(ref position, _bytes.Length);
            _ends[i] = length <= (ulong)_bytes.Length ? (int)length : throw new InvalidDataException("is cut short");
        }

        for (var i = 0; i < _columns.Length; i++)
        {
            _positions[i] = position;
            position = _ends[i] <= _bytes.Length - position
                ? position + _ends[i]
                : throw new InvalidDataException("is cut short");
            _ends[i] = position;
        }
    }

    private ulong Number(ref int position, int end)
    {
        var value = 0UL;
        for (var shift = 0; position < end && shift < 64; shift += 7)
        {
            var part = _bytes[position++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part <= 0x7F)
            {
                return value;
            }
        }

        throw new InvalidDataException("is cut short");
    }
}
