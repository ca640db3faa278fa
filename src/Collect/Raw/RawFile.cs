using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Raw;

/// <summary>
/// A file that a shim without a collector has written (<c>raw_file</c> of records.def): a region, and what was in its
/// rings each time that one was full. Nothing in it is trusted: it is read once into memory of our own, piece by piece.
/// </summary>
public sealed unsafe class RawFile : IDisposable
{
    private const ulong MostRegionBytes = 1UL << 30;

    private readonly SafeFileHandle _file;
    private readonly RawFileRecord _header;

    private RawFile(string path, SafeFileHandle file, in RawFileRecord header)
    {
        Path = path;
        _file = file;
        _header = header;
    }

    /// <summary>The file, as it was named.</summary>
    public string Path { get; }

    /// <summary>CLOCK_MONOTONIC at the start of its first process.</summary>
    public ulong StartNs => _header.StartNs;

    /// <summary>The same moment since 1970; null where it cannot be.</summary>
    public long? StartUnixNs => _header.StartUnixNs <= long.MaxValue ? (long)_header.StartUnixNs : null;

    /// <summary>Mean bytes between samples; 0: exact. Known from <see cref="ReadRegion"/> on.</summary>
    public ulong SampleBytes { get; private set; }

    /// <summary>Its first process, in its own pid namespace.</summary>
    public int Pid => (int)Math.Min(_header.Pid, int.MaxValue);

    /// <summary>Its parent there; null: not known.</summary>
    public int? ParentPid => _header.ParentPid is 0 or > int.MaxValue ? null : (int)_header.ParentPid;

    /// <summary>Arguments of that; empty when they are not known.</summary>
    public IReadOnlyList<string> Command
    {
        get
        {
            var header = _header;
            var text = Text(header.Command, header.CommandLength);
            return text.Length == 0 ? [] : text.TrimEnd('\0').Split('\0');
        }
    }

    /// <summary>Its executable; null when it is not known.</summary>
    public string? Executable
    {
        get
        {
            var header = _header;
            var text = Text(header.Executable, header.ExecutableLength);
            return text.Length == 0 ? null : text;
        }
    }

    /// <summary>Opens one.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ToolException">It cannot be read, or is no such file; exit code 4.</exception>
    public static RawFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(path);
            RawFileRecord header;
            var whole = RandomAccess.Read(file, new Span<byte>(&header, sizeof(RawFileRecord)), 0) == sizeof(RawFileRecord);
            if (!whole || header.Magic != WireConstants.RawMagic)
            {
                throw Bad(path, "is no raw stream of NATIVEHEAP_OUT");
            }
            if (header.Version != WireConstants.WireVersion)
            {
                throw Bad(path, string.Create(
                    CultureInfo.InvariantCulture, $"is of version {header.Version}, which this nativeheap does not read"));
            }
            return new RawFile(path, file, header);
        }
        catch (ToolException)
        {
            file?.Dispose();
            throw;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            file?.Dispose();
            throw new ToolException($"{path} cannot be read: {error.Message}", ExitCodes.Input, error);
        }
    }

    /// <summary>Whether any process that we can see still writes to it.</summary>
    public bool IsBeingWritten()
    {
        var name = System.IO.Path.GetFullPath(Path);
        return ProcessReader.ProcessIds().Any(
            pid => new ProcessReader(pid).ReadMappings()?.Any(mapping => mapping.Path == name) == true);
    }

    /// <summary>The region, as if nothing of it had been drained, and what is to be put into its rings.</summary>
    /// <returns>The caller disposes the first.</returns>
    /// <exception cref="ToolException">It holds what cannot be; exit code 4.</exception>
    internal (RawMemory Memory, RawRing[] Rings) ReadRegion()
    {
        var length = (ulong)RandomAccess.GetLength(_file);
        var bytes = _header.RegionBytes;
        if (bytes < RegionRecord.StatedSize || bytes > MostRegionBytes || _header.RegionOffset > length
            || bytes > length - _header.RegionOffset)
        {
            throw Bad(Path, "ends before its region does");
        }
        var memory = new RawMemory(bytes);
        try
        {
            ReadAt(_header.RegionOffset, new Span<byte>(memory.Start, (int)bytes));
            var rings = memory.Rewind();
            SampleBytes = memory.View.SampleBytes;
            foreach (var (ring, pieces) in rings.Zip(FindChunks(length, rings)))
            {
                ring.Add(pieces);
            }
            return (memory, rings);
        }
        catch (RegionFormatException error)
        {
            memory.Dispose();
            throw new ToolException($"{Path}: {error.Message}", ExitCodes.Input, error);
        }
        catch (Exception)
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Reads a piece of the file, all of it.</summary>
    /// <exception cref="ToolException">It cannot be read.</exception>
    internal void ReadAt(ulong offset, Span<byte> to)
    {
        try
        {
            while (to.Length > 0)
            {
                var count = RandomAccess.Read(_file, to, (long)offset);
                if (count == 0)
                {
                    throw Bad(Path, "became shorter while it was read");
                }
                to = to[count..];
                offset += (ulong)count;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ToolException($"{Path} cannot be read: {error.Message}", ExitCodes.Input, error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    // By ring; those that were handed out and never finished are passed over.
    private List<RawChunk>[] FindChunks(ulong length, RawRing[] rings)
    {
        var chunks = rings.Select(_ => new List<RawChunk>()).ToArray();
        ulong stride = _header.ChunkStride;
        var room = _header.ChunkOffset <= length ? length - _header.ChunkOffset : 0;
        var count = Math.Min(_header.ChunkCount, _header.ChunkCapacity);
        if (stride < RawChunkRecord.StatedSize + 8 || stride > MostRegionBytes || count > room / stride)
        {
            return count == 0 ? chunks : throw Bad(Path, "ends before its chunks do");
        }
        for (var i = 0UL; i < count; i++)
        {
            var at = _header.ChunkOffset + (i * stride);
            RawChunkRecord record;
            ReadAt(at, new Span<byte>(&record, sizeof(RawChunkRecord)));
            if (record.Bytes == 0)
            {
                continue;
            }
            if (record.Ring >= (uint)rings.Length || record.Bytes % 8 != 0 || record.Bytes > stride - RawChunkRecord.StatedSize
                || record.Bytes > rings[record.Ring].Capacity)
            {
                throw Bad(Path, string.Create(CultureInfo.InvariantCulture, $"has a chunk that cannot be, its number {i}"));
            }
            chunks[record.Ring].Add(new RawChunk(record.Position, record.Bytes, at + RawChunkRecord.StatedSize));
        }
        return chunks;
    }

    private static string Text(ReadOnlySpan<byte> bytes, uint length) =>
        Encoding.UTF8.GetString(bytes[..(int)Math.Min(length, (uint)bytes.Length)]);

    private static ToolException Bad(string path, string problem) => new($"{path} {problem}", ExitCodes.Input);
}

/// <summary>A piece of a ring's stream.</summary>
/// <param name="Position">Of its first byte in the stream.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Offset">Where it lies in the file.</param>
internal readonly record struct RawChunk(ulong Position, uint Bytes, ulong Offset);
