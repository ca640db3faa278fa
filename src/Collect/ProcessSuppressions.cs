using System.Text;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>What a program itself says of leaks that are known, as its <c>__lsan_default_suppressions</c> returned it. It
/// comes in parts.</summary>
/// <param name="inherited">Of the process that this one was forked from; null: none.</param>
internal sealed class ProcessSuppressions(ProcessSuppressions? inherited)
{
    private MemoryStream? _bytes;

    /// <summary>The text, and somewhat more than <see cref="WireConstants.MostSuppressionBytes"/> of it when it is longer
    /// than that; null: there is none.</summary>
    public string? Text
    {
        get
        {
            if (_bytes is null)
            {
                return inherited?.Text;
            }

            var bytes = _bytes.GetBuffer().AsSpan(0, (int)_bytes.Length);
            var end = bytes.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
        }
    }

    /// <summary>Adds the next part.</summary>
    public void Add(ReadOnlySpan<byte> part)
    {
        _bytes ??= new MemoryStream();
        if (_bytes.Length <= WireConstants.MostSuppressionBytes)
        {
            _bytes.Write(part);
        }
    }
}
