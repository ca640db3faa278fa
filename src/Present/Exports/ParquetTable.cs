using Parquet;
using Parquet.Schema;

namespace NativeHeap.Present.Exports;

/// <summary>One Parquet file: a relation's rows of one trace. Nobody sees it before <see cref="Publish"/>.</summary>
internal sealed class ParquetTable : IDisposable
{
    private const int GroupRows = 250_000;

    private readonly string _path;
    private readonly string _part;
    private readonly SameTextColumn _traceColumn;
    private readonly ParquetColumn[] _columns;
    private readonly FileStream _stream;
    private readonly ParquetWriter _writer;
    private int _rows;
    private bool _isFinished;

    private ParquetTable(string path, string trace, ParquetColumn[] columns)
    {
        _path = path;
        _part = $"{path}.{Environment.ProcessId}.part";
        _traceColumn = new SameTextColumn("trace", trace);
        _columns = [_traceColumn, .. columns];
        _stream = new FileStream(_part, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16);
        _writer = Wait(ParquetWriter.CreateAsync(
            new ParquetSchema(_columns.Select(column => column.Field)),
            _stream,
            new ParquetOptions
            {
                CompressionMethod = CompressionMethod.Snappy,
                ColumnEncodingHints = { [_traceColumn.Field.Path.ToString()] = EncodingHint.Dictionary },
            }));
    }

    /// <summary>Begins a file.</summary>
    /// <param name="folder">The data set; the file goes into a folder below it that is called as the relation.</param>
    /// <param name="relation">The relation's name.</param>
    /// <param name="trace">What the first column holds, and the file is called.</param>
    /// <param name="columns">All columns but the first.</param>
    public static ParquetTable Create(string folder, string relation, string trace, params ParquetColumn[] columns)
    {
        Directory.CreateDirectory(Path.Combine(folder, relation));
        return new ParquetTable(Path.Combine(folder, relation, trace + ".parquet"), trace, columns);
    }

    /// <summary>All columns have got their value of the next row.</summary>
    public void EndRow()
    {
        _traceColumn.Add();
        if (++_rows == GroupRows)
        {
            WriteGroup();
        }
    }

    /// <summary>Writes what is left.</summary>
    public void Finish()
    {
        WriteGroup();
        _writer.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _stream.Dispose();
        _isFinished = true;
        Array.ForEach(_columns, column => column.Release());
    }

    /// <summary>Lets others see the file.</summary>
    public void Publish() => File.Move(_part, _path, overwrite: true);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isFinished)
        {
            _writer.DisposeAsync().AsTask().GetAwaiter().GetResult();
            _stream.Dispose();
        }

        File.Delete(_part);
    }

    private void WriteGroup()
    {
        using var group = _writer.CreateRowGroup();
        foreach (var column in _columns)
        {
            column.WriteAsync(group).GetAwaiter().GetResult();
        }

        _rows = 0;
    }

    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();
}
