using System.Buffers.Binary;

namespace NativeHeap.Memory.Runtimes;

/// <summary>
/// A pool of CPython's own allocator, which divides arenas from mmap: blocks of one size behind a header (struct pool_header of
/// Objects/obmalloc.c). The header tells the pool's size by two numbers that must agree, which other memory does not by chance.
/// </summary>
/// <param name="Bytes">Of the pool, 16 KiB; 4 KiB before Python 3.10.</param>
/// <param name="LiveBytes">Of its blocks that are given out.</param>
public readonly record struct PythonPool(ulong Bytes, ulong LiveBytes)
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 48;

    /// <summary>Bytes of the smallest pool. A pool begins at a multiple of its size.</summary>
    public const ulong LeastBytes = 4096;

    private const ulong MostBytes = 16 * 1024;
    private const uint MostBlockBytes = 512;

    /// <summary>Reads a header.</summary>
    /// <param name="header">Memory that may be one.</param>
    /// <param name="address">Where it was.</param>
    /// <returns>Null when it is none.</returns>
    public static PythonPool? Read(ReadOnlySpan<byte> header, ulong address)
    {
        if (header.Length < HeaderBytes)
        {
            return null;
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(header);
        var free = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        var index = BinaryPrimitives.ReadUInt32LittleEndian(header[36..]);
        var next = BinaryPrimitives.ReadUInt32LittleEndian(header[40..]);
        var last = BinaryPrimitives.ReadUInt32LittleEndian(header[44..]);
        // Blocks are multiples of 16 bytes, and were of 8 before Python 3.8.
        for (var unit = 16u; unit >= 8; unit /= 2)
        {
            var block = (index + 1) * unit;
            var bytes = (ulong)last + block;
            if (index < MostBlockBytes / unit && bytes is LeastBytes or MostBytes && address % bytes == 0
                && next >= HeaderBytes + block && next <= bytes + block && (next - HeaderBytes) % block == 0
                && (free == 0 || (free > address && free < address + bytes)) && count <= (bytes - HeaderBytes) / block)
            {
                return new PythonPool(bytes, (ulong)count * block);
            }
        }

        return null;
    }
}
