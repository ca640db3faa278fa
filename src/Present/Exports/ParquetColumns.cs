using System.Buffers;
using Parquet;
using Parquet.Schema;

namespace NativeHeap.Present.Exports;

/// <summary>The values of a column until they are written. Not for several threads.</summary>
internal abstract class ParquetColumn(DataField description)
{
    /// <summary>Name and type.</summary>
    public DataField Field => description;

    /// <summary>Writes the values and forgets them.</summary>
    public abstract Task WriteAsync(ParquetRowGroupWriter group);

    /// <summary>Gives memory back; nothing may be added any more.</summary>
    public virtual void Release()
    {
    }
}

/// <summary>The same text in every row. It is encoded without looking at each, which is a tenth of the work.</summary>
internal sealed class SameTextColumn(string name, string text) : ParquetColumn(new DataField<string>(name, false))
{
    private ReadOnlyMemory<char>[] _values = [];
    private int _count;

    /// <summary>There is another row.</summary>
    public void Add() => _count++;

    /// <inheritdoc/>
    public override async Task WriteAsync(ParquetRowGroupWriter group)
    {
        if (_values.Length < _count)
        {
            _values = new ReadOnlyMemory<char>[_count];
            Array.Fill(_values, text.AsMemory());
        }

        await group.WriteAsync<ReadOnlyMemory<char>>(Field, _values.AsMemory(0, _count)).ConfigureAwait(false);
        _count = 0;
    }
}

/// <summary>Whole numbers.</summary>
internal sealed class NumberColumn(string name) : ParquetColumn(new DataField<long>(name))
{
    private long[] _values = ArrayPool<long>.Shared.Rent(1024);
    private int _count;

    /// <summary>The next row's.</summary>
    public void Add(long value)
    {
        if (_count == _values.Length)
        {
            var more = ArrayPool<long>.Shared.Rent(_count * 2);
            _values.CopyTo(more, 0);
            Release();
            _values = more;
        }

        _values[_count++] = value;
    }

    /// <inheritdoc/>
    public override async Task WriteAsync(ParquetRowGroupWriter group)
    {
        await group.WriteAsync<long>(Field, _values.AsMemory(0, _count)).ConfigureAwait(false);
        _count = 0;
    }

    /// <inheritdoc/>
    public override void Release()
    {
        ArrayPool<long>.Shared.Return(_values);
        _values = [];
    }
}

/// <summary>Whole numbers that may be missing.</summary>
internal sealed class OptionalColumn(string name) : ParquetColumn(new DataField<long?>(name))
{
    private readonly List<long?> _values = [];

    /// <summary>The next row's.</summary>
    public void Add(long? value) => _values.Add(value);

    /// <inheritdoc/>
    public override async Task WriteAsync(ParquetRowGroupWriter group)
    {
        await group.WriteAsync<long>(Field, _values.ToArray().AsMemory()).ConfigureAwait(false);
        _values.Clear();
    }
}

/// <summary>Texts that may be missing.</summary>
internal sealed class TextColumn(string name) : ParquetColumn(new DataField<string>(name))
{
    private readonly List<string?> _values = [];

    /// <summary>The next row's.</summary>
    public void Add(string? value) => _values.Add(value);

    /// <inheritdoc/>
    public override async Task WriteAsync(ParquetRowGroupWriter group)
    {
        await group.WriteAsync(Field, _values!).ConfigureAwait(false);
        _values.Clear();
    }
}
