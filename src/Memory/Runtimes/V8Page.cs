using System.Buffers.Binary;

namespace NativeHeap.Memory.Runtimes;

/// <summary>
/// A page of V8's heap (Node.js up to 20 and what else has a V8 of before 2024): its header holds its size, the borders of the
/// area for objects and, as the address of what was reserved for it, its own (BasicMemoryChunk of
/// src/heap/basic-memory-chunk.h). Later ones keep that elsewhere.
/// </summary>
public static class V8Page
{
    /// <summary>Bytes of a header that are looked at.</summary>
    public const int HeaderBytes = 128;

    /// <summary>Pages begin at multiples of this.</summary>
    public const ulong Alignment = 256 * 1024;

    private const int Words = HeaderBytes / sizeof(ulong);
    private const ulong LeastBytes = 4096;
    private const ulong MostBytes = 1UL << 32;
    private const ulong MostHeaderBytes = 64 * 1024;

    /// <summary>Reads a header.</summary>
    /// <param name="header">Memory that may be one.</param>
    /// <param name="address">Where it was.</param>
    /// <returns>Bytes of the page; 0 when it is none.</returns>
    public static ulong Read(ReadOnlySpan<byte> header, ulong address)
    {
        if (header.Length < HeaderBytes || address % Alignment != 0)
        {
            return 0;
        }

        var bytes = Word(header, 0);
        if (bytes is < LeastBytes or > MostBytes)
        {
            return 0;
        }

        for (var i = 1; i < Words - 2; i++)
        {
            var (start, end) = (Word(header, i), Word(header, i + 1));
            if (start > address && start - address < MostHeaderBytes && end > start && end - address <= bytes)
            {
                for (var own = i + 2; own < Words; own++)
                {
                    if (Word(header, own) == address)
                    {
                        return bytes;
                    }
                }

                return 0;
            }
        }

        return 0;
    }

    private static ulong Word(ReadOnlySpan<byte> header, int i) => BinaryPrimitives.ReadUInt64LittleEndian(header[(i * sizeof(ulong))..]);
}
