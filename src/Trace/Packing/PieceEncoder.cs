using System.IO.Compression;

namespace NativeHeap.Trace.Packing;

/// <summary>Makes pieces of a packed table: a zlib stream of columns, each of numbers in LEB128.</summary>
internal sealed class PieceEncoder
{
    /// <summary>Rows that a piece may have.</summary>
    public const int MostRows = 1 << 15;

    /// <summary>Bytes that a number takes at most.</summary>
    public const int MostBytes = 10;

    private readonly PackedColumn[] _columns;
    private readonly byte[][] _bytes;
    private readonly int[] _lengths;
    private readonly long[] _before;

    public PieceEncoder(PackedTable table)
    {
        _columns = table.Columns;
        _bytes = [.. _columns.Select(_ => new byte[256])];
        _lengths = new int[_columns.Length];
        _before = new long[_columns.Length];
    }

    /// <summary>Rows since the last piece.</summary>
    public int Rows { get; private set; }

    /// <summary>Adds a row; there must be room for it.</summary>
    public void Add(ReadOnlySpan<long> row)
    {
        for (var i = 0; i < _columns.Length; i++)
        {
            var from = _columns[i].Base;
            var value = from switch
            {
                PackedColumn.Plain => row[i],
                PackedColumn.RowBefore => unchecked(row[i] - _before[i]),
                _ => unchecked(row[i] - row[from]),
            };
            if (from == PackedColumn.RowBefore)
            {
                _before[i] = row[i];
            }

            Append(i, (ulong)((value << 1) ^ (value >> 63)));
        }

        Rows++;
    }

    /// <summary>The piece of the rows so far; begins another.</summary>
    public byte[] Take(CompressionLevel level)
    {
        var packed = new MemoryStream();
        using (var stream = new ZLibStream(packed, level))
        {
            Span<byte> number = stackalloc byte[MostBytes];
            foreach (var length in _lengths)
            {
                stream.Write(number[..Write(number, (ulong)length)]);
            }

            for (var i = 0; i < _columns.Length; i++)
            {
                stream.Write(_bytes[i], 0, _lengths[i]);
            }
        }

        Array.Clear(_lengths);
        Array.Clear(_before);
        Rows = 0;
        return packed.ToArray();
    }

    private static int Write(Span<byte> to, ulong value)
    {
        var length = 0;
        while (value > 0x7F)
        {
            to[length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        to[length++] = (byte)value;
        return length;
    }

    private void Append(int column, ulong value)
    {
        var bytes = _bytes[column];
        var length = _lengths[column];
        if (bytes.Length - length < MostBytes)
        {
            Array.Resize(ref bytes, bytes.Length * 2);
            _bytes[column] = bytes;
        }

        _lengths[column] = length + Write(bytes.AsSpan(length), value);
    }
}
