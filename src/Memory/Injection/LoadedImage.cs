using System.Runtime.InteropServices;
using System.Text;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Memory.Injection;

/// <summary>
/// A program or library as it stands in a process's memory: its segments and the functions it exports. What was deleted or
/// lies in another file system can be read this way too. Nothing read is trusted: counts are bounded.
/// </summary>
internal sealed class LoadedImage
{
    private const int HeaderBytes = 64;
    private const int SegmentBytes = 56;
    private const int SymbolBytes = 24;
    private const int MostSegments = 64;
    private const int MostEntries = 512;
    private const uint MostBuckets = 1 << 20;
    private const int MostChain = 4096;
    private const int LongestName = 64;

    private readonly IMemoryReader _memory;
    private readonly ulong _bias;
    private ulong _strings;
    private ulong _symbols;
    private ulong _hash;

    private LoadedImage(IMemoryReader memory, ulong bias)
    {
        _memory = memory;
        _bias = bias;
    }

    /// <summary>One past the last byte of the executable segment that is mapped last; 0: there is none.</summary>
    public ulong CodeEnd { get; private set; }

    /// <summary>Reads an image.</summary>
    /// <param name="memory">The process's.</param>
    /// <param name="start">Where its first page is mapped.</param>
    /// <returns>Null when there is none of 64 bits.</returns>
    public static LoadedImage? Read(IMemoryReader memory, ulong start)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (memory.Read(start, header) < HeaderBytes || !header.StartsWith("\x7f"u8) || !header[1..].StartsWith("ELF\x02"u8))
        {
            return null;
        }

        var table = start + MemoryMarshal.Read<ulong>(header[32..]);
        var count = Math.Min((int)MemoryMarshal.Read<ushort>(header[56..]), MostSegments);
        var segments = new byte[count * SegmentBytes];
        if (MemoryMarshal.Read<ushort>(header[54..]) != SegmentBytes || memory.Read(table, segments) < segments.Length)
        {
            return null;
        }

        var words = MemoryMarshal.Cast<byte, ulong>(segments.AsSpan());
        const int perSegment = SegmentBytes / sizeof(ulong), loaded = 1, dynamic = 2, executable = 1;
        ulong? bias = null, dynamicAt = null;
        ulong end = 0;
        for (var i = 0; i < count; i++)
        {
            var segment = words.Slice(i * perSegment, perSegment); // type and flags, offset, address, -, file, memory, align
            var kind = (uint)segment[0];
            if (kind == loaded)
            {
                bias ??= start - (segment[2] & ~0xFFFUL);
                end = (segment[0] >> 32 & executable) != 0 ? segment[2] + segment[5] : end;
            }
            else if (kind == dynamic)
            {
                dynamicAt = segment[2];
            }
        }

        if (bias is not { } known)
        {
            return null;
        }

        var image = new LoadedImage(memory, known) { CodeEnd = end == 0 ? 0 : known + end };
        if (dynamicAt is { } at)
        {
            image.ReadDynamic(known + at);
        }

        return image;
    }

    /// <summary>The address of a function that it exports; 0: it exports none of that name.</summary>
    public ulong Find(string name)
    {
        Span<uint> head = stackalloc uint[4]; // buckets, first symbol, words of the filter, its shift
        if (_hash == 0 || _symbols == 0 || _strings == 0
            || _memory.Read(_hash, MemoryMarshal.AsBytes(head)) < 16 || head[0] is 0 or > MostBuckets)
        {
            return 0;
        }

        var hash = Hash(name);
        var buckets = _hash + 16 + (head[2] * 8UL);
        var chains = buckets + (head[0] * 4UL);
        var index = ReadHalf(buckets + (hash % head[0] * 4UL));
        for (var i = 0; i < MostChain && index >= head[1]; i++, index++)
        {
            var link = ReadHalf(chains + ((index - head[1]) * 4UL));
            if ((link | 1) == (hash | 1) && Match(index, name) is var address and not 0)
            {
                return address;
            }

            if ((link & 1) != 0)
            {
                break;
            }
        }

        return 0;
    }

    // dl_new_hash of glibc's elf/dl-hash.h, which is what DT_GNU_HASH tables are made with.
    private static uint Hash(string name)
    {
        uint hash = 5381;
        foreach (var c in name)
        {
            hash = unchecked((hash * 33) + c);
        }

        return hash;
    }

    private ulong Match(uint index, string name)
    {
        const int function = 2;
        Span<byte> symbol = stackalloc byte[SymbolBytes];
        if (_memory.Read(_symbols + (index * (ulong)SymbolBytes), symbol) < SymbolBytes)
        {
            return 0;
        }

        Span<byte> text = stackalloc byte[LongestName];
        text = text[.._memory.Read(_strings + MemoryMarshal.Read<uint>(symbol), text)];
        var end = text.IndexOf((byte)0);
        var value = MemoryMarshal.Read<ulong>(symbol[8..]);
        var isDefined = MemoryMarshal.Read<ushort>(symbol[6..]) != 0 && value != 0;
        return isDefined && (symbol[4] & 0xF) == function && end >= 0 && Encoding.UTF8.GetString(text[..end]) == name
            ? _bias + value
            : 0;
    }

    private void ReadDynamic(ulong at)
    {
        Span<ulong> entry = stackalloc ulong[2];
        for (var i = 0; i < MostEntries && _memory.ReadWords(at + ((ulong)i * 16), entry) == 2 && entry[0] != 0; i++)
        {
            // glibc puts addresses there; musl, the vdso and a loader that has not come so far leave offsets.
            var address = entry[1] >= _bias ? entry[1] : entry[1] + _bias;
            switch (entry[0])
            {
                case 5: // DT_STRTAB
                    _strings = address;
                    break;
                case 6: // DT_SYMTAB
                    _symbols = address;
                    break;
                case 0x6ffffef5: // DT_GNU_HASH
                    _hash = address;
                    break;
            }
        }
    }

    private uint ReadHalf(ulong address)
    {
        uint value = 0;
        return _memory.Read(address, MemoryMarshal.AsBytes(new Span<uint>(ref value))) == sizeof(uint) ? value : 0;
    }
}
