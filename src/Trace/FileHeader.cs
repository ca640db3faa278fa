using System.Buffers.Binary;

namespace NativeHeap.Trace;

/// <summary>
/// Looks at the first 100 bytes of a file before SQLite does, for a better word on what is wrong
/// (https://sqlite.org/fileformat2.html, section 1.3).
/// </summary>
internal static class FileHeader
{
    private const int Bytes = 100;
    private const int PageBytesAt = 16;
    private const int ChangesAt = 24;
    private const int PageCountAt = 28;
    private const int CountValidForAt = 92;

    private static ReadOnlySpan<byte> Magic => "SQLite format 3\0"u8;

    /// <param name="path">The file, as the user named it.</param>
    /// <param name="file">It, at its start.</param>
    /// <param name="hasLog">True when a log stands beside it, which may hold pages that the file lacks.</param>
    /// <exception cref="TraceException">The file is empty, of another kind, or shorter than it says.</exception>
    public static void Check(string path, FileStream file, bool hasLog)
    {
        Span<byte> header = stackalloc byte[Bytes];
        header = header[..file.ReadAtLeast(header, Bytes, throwOnEndOfStream: false)];
        if (header.IsEmpty)
        {
            throw new TraceException(path, "is empty, not a trace");
        }

        var known = Math.Min(header.Length, Magic.Length);
        if (!header[..known].SequenceEqual(Magic[..known]))
        {
            throw new TraceException(path, "not a trace (no SQLite file)");
        }

        if (header.Length < Bytes || (!hasLog && file.Length < StatedLength(header)))
        {
            throw new TraceException(path, $"cut short (after {file.Length} bytes)");
        }
    }

    private static long StatedLength(ReadOnlySpan<byte> header)
    {
        var valid = Number(header, ChangesAt) == Number(header, CountValidForAt);
        var page = BinaryPrimitives.ReadUInt16BigEndian(header[PageBytesAt..]);
        return valid ? Number(header, PageCountAt) * (page == 1 ? 65536L : page) : 0;
    }

    private static uint Number(ReadOnlySpan<byte> header, int at) => BinaryPrimitives.ReadUInt32BigEndian(header[at..]);
}
