namespace NativeHeap.Memory;

/// <summary>Bytes with random access and a known length: a file, a core, a copy of memory. Safe from several
/// threads at once when its implementation says so.</summary>
public interface IByteSource : IDisposable
{
    /// <summary>Number of bytes, fixed when the source was opened.</summary>
    long Length { get; }

    /// <summary>Copies what stands at <paramref name="offset"/>. Fewer bytes than asked for only where the source ends
    /// or cannot be read; 0 for an offset outside of it. Never throws for content.</summary>
    int Read(long offset, Span<byte> destination);
}
