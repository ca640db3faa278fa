namespace NativeHeap.Memory;

/// <summary>Bytes already in our memory. Safe from several threads.</summary>
/// <param name="bytes">The bytes; not copied.</param>
public sealed class MemoryByteSource(ReadOnlyMemory<byte> bytes) : IByteSource
{
    /// <inheritdoc/>
    public long Length => bytes.Length;

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset >= bytes.Length)
        {
            return 0;
        }

        var source = bytes.Span[(int)offset..];
        source = source[..Math.Min(source.Length, destination.Length)];
        source.CopyTo(destination);
        return source.Length;
    }

    /// <summary>Does nothing: the bytes belong to the caller.</summary>
    public void Dispose()
    {
    }
}
