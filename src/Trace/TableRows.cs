namespace NativeHeap.Trace;

/// <summary>
/// Rows of a table of a trace whose content is not trusted, however they are stored: every column is taken with the range
/// it must have, anything else is a <see cref="TraceException"/>. Not for several threads.
/// </summary>
internal abstract class TableRows : IDisposable
{
    /// <summary>Moves to the next row; false after the last.</summary>
    public abstract bool Next();

    public abstract bool IsNull(int column);

    public abstract long Long(int column, long min, long max);

    /// <summary>The error to throw for a value that cannot be.</summary>
    public abstract TraceException Damaged(int column, string what);

    /// <summary>A count or a size: not negative, and small enough that a few can be added.</summary>
    public long Count(int column) => Long(column, 0, long.MaxValue / 4);

    public int Int(int column, int min, int max) => (int)Long(column, min, max);

    public long? LongOrNull(int column, long min, long max) => IsNull(column) ? null : Long(column, min, max);

    public int? IntOrNull(int column, int min, int max) => IsNull(column) ? null : Int(column, min, max);

    public abstract void Dispose();
}
