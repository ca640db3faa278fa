using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using NativeHeap.Memory.Elf;

namespace NativeHeap.Symbols;

/// <summary>
/// The file names at the heads of DWARF 5 line tables (DWARF 5, section 6.2.4, "The Line Number Program Header"). The
/// file is not trusted: what does not make sense ends the reading.
/// </summary>
internal static class DwarfLineTables
{
    private const int MostSectionBytes = 512 << 20;
    private const int MostEntries = 1 << 20;

    // Content types and forms: DWARF 5, tables 7.27 and 7.6.
    private const ulong Path = 1, DirectoryIndex = 2, Checksum = 5;
    private const ulong Block = 0x09, Data1 = 0x0b, Data2 = 0x05, Data4 = 0x06, Data8 = 0x07, Data16 = 0x1e, Udata = 0x0f;
    private const ulong InlineString = 0x08, StringOffset = 0x0e, LineStringOffset = 0x1f;

    /// <summary>The MD5 checksums that the line tables of a file have for a source; several when it was compiled in several
    /// states.</summary>
    /// <param name="elf">Path of the file.</param>
    /// <param name="source">The source, with its folder.</param>
    public static List<byte[]> Checksums(string elf, string source)
    {
        var found = new List<byte[]>();
        using var file = ElfFile.TryOpen(elf, out _);
        if (file is null || Section(file, ".debug_line") is not { } lines)
        {
            return found;
        }

        var strings = new Strings(Section(file, ".debug_str") ?? [], Section(file, ".debug_line_str") ?? []);
        for (var at = 0; NextUnit(lines, at) is { } unit; at = unit.End)
        {
            if (unit.Version == 5)
            {
                new Reader(lines.AsSpan(unit.Start, unit.End - unit.Start), strings, unit.OffsetBytes).AddChecksums(source, found);
            }
        }

        return found;
    }

    private static (int Start, int End, int Version, int OffsetBytes)? NextUnit(byte[] lines, int at)
    {
        if (at + 12 + 2 > lines.Length)
        {
            return null;
        }

        var length = (ulong)BinaryPrimitives.ReadUInt32LittleEndian(lines.AsSpan(at));
        var isLong = length == uint.MaxValue; // 64-bit DWARF
        length = isLong ? BinaryPrimitives.ReadUInt64LittleEndian(lines.AsSpan(at + 4)) : length;
        var start = at + (isLong ? 12 : 4);
        return length >= 2 && length <= (ulong)(lines.Length - start)
            ? (start, start + (int)length, BinaryPrimitives.ReadUInt16LittleEndian(lines.AsSpan(start)), isLong ? 8 : 4)
            : null;
    }

    private static byte[]? Section(ElfFile file, string name)
    {
        if (file.FindSection(name) is not { } section || section.Bytes > MostSectionBytes)
        {
            return null;
        }

        var bytes = new byte[section.Bytes];
        if (file.ReadContents(section, bytes) != bytes.Length)
        {
            return null;
        }

        return section.IsCompressed ? Inflate(bytes) : bytes;
    }

    // Elf64_Chdr: type, 4 bytes unused, size, alignment (System V ABI, "Section Compression"); only zlib is known here.
    private static byte[]? Inflate(byte[] section)
    {
        const int HeaderBytes = 24;
        const uint Zlib = 1;
        if (section.Length < HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(section) != Zlib
            || BinaryPrimitives.ReadUInt64LittleEndian(section.AsSpan(8)) is not (<= MostSectionBytes and var size))
        {
            return null;
        }

        var bytes = new byte[size];
        try
        {
            using var stream = new ZLibStream(new MemoryStream(section, HeaderBytes, section.Length - HeaderBytes), CompressionMode.Decompress);
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            return null;
        }
    }

    private sealed record Strings(byte[] Debug, byte[] Line)
    {
        public static string? At(byte[] table, ulong offset)
        {
            if (offset >= (ulong)table.Length)
            {
                return null;
            }

            var rest = table.AsSpan((int)offset);
            var end = rest.IndexOf((byte)0);
            return end < 0 ? null : Encoding.UTF8.GetString(rest[..end]);
        }
    }

    private ref struct Reader(ReadOnlySpan<byte> unit, Strings strings, int offsetBytes)
    {
        private readonly record struct Entry(string? Name, ulong Directory, byte[]? Checksum);

        private readonly ReadOnlySpan<byte> _unit = unit;
        private int _at = 2;
        private bool _failed;

        public void AddChecksums(string source, List<byte[]> found)
        {
            // Address and segment selector sizes, header length, instruction length, operations, default, base, range.
            _at += 2 + offsetBytes + 5;
            var opcodes = Fixed(1);
            _at += (int)Math.Max(opcodes, 1) - 1;
            var directories = Entries();
            var files = Entries();
            foreach (var file in files)
            {
                // The GNU assembler writes zeros for a file of which it knows none.
                if (file.Checksum is { } checksum && checksum.AsSpan().IndexOfAnyExcept((byte)0) >= 0 && file.Name is { } name && IsSame(source, FullName(name, file.Directory, directories)))
                {
                    found.Add(checksum);
                }
            }
        }

        private static bool IsSame(string source, string name) =>
            source == name || (source.StartsWith('/') && name.StartsWith('/')
                && System.IO.Path.GetFullPath(source) == System.IO.Path.GetFullPath(name));

        // Directory 0 is the one that was compiled in; the others may lie below it.
        private static string FullName(string name, ulong directory, List<Entry> directories)
        {
            string Folder(ulong index) => index < (ulong)directories.Count ? directories[(int)index].Name ?? "" : "";
            return System.IO.Path.Combine(Folder(0), Folder(directory), name);
        }

        private List<Entry> Entries()
        {
            var format = new List<(ulong Content, ulong Form)>();
            var columns = Fixed(1);
            for (var i = 0UL; i < columns; i++)
            {
                format.Add((Leb(), Leb()));
            }

            var entries = new List<Entry>();
            var count = Leb();
            for (var i = 0UL; i < count && i < MostEntries && format.Count > 0 && !_failed; i++)
            {
                entries.Add(ReadEntry(format));
            }

            return _failed ? [] : entries;
        }

        private Entry ReadEntry(List<(ulong Content, ulong Form)> format)
        {
            var entry = default(Entry);
            foreach (var (content, form) in format)
            {
                var start = _at;
                var (number, text) = Value(form);
                entry = content switch
                {
                    Path => entry with { Name = text },
                    DirectoryIndex => entry with { Directory = number },
                    Checksum when form == Data16 && !_failed => entry with { Checksum = _unit.Slice(start, 16).ToArray() },
                    _ => entry,
                };
            }

            return entry;
        }

        private (ulong Number, string? Text) Value(ulong form)
        {
            switch (form)
            {
                case InlineString:
                    var end = _at < _unit.Length ? _unit[_at..].IndexOf((byte)0) : -1;
                    _failed |= end < 0;
                    var text = end < 0 ? null : Encoding.UTF8.GetString(_unit.Slice(_at, end));
                    Skip((ulong)Math.Max(end, 0) + 1);
                    return (0, text);
                case StringOffset:
                    return (0, Strings.At(strings.Debug, Fixed(offsetBytes)));
                case LineStringOffset:
                    return (0, Strings.At(strings.Line, Fixed(offsetBytes)));
                case Udata:
                    return (Leb(), null);
                case Block:
                    Skip(Leb());
                    return default;
                case Data16:
                    Skip(16);
                    return default;
                case Data1 or Data2 or Data4 or Data8:
                    return (Fixed(form switch { Data1 => 1, Data2 => 2, Data4 => 4, _ => 8 }), null);
                default:
                    _failed = true; // a form of unknown length
                    return default;
            }
        }

        private void Skip(ulong bytes)
        {
            _failed |= bytes > (ulong)Math.Max(0, _unit.Length - _at);
            _at = _failed ? _unit.Length : _at + (int)bytes;
        }

        private ulong Fixed(int bytes)
        {
            if (_at < 0 || _at + bytes > _unit.Length)
            {
                _failed = true;
                return 0;
            }

            var value = 0UL;
            for (var i = bytes - 1; i >= 0; i--)
            {
                value = (value << 8) | _unit[_at + i];
            }

            _at += bytes;
            return value;
        }

        // Unsigned LEB128 (DWARF 5, section 7.6).
        private ulong Leb()
        {
            var value = 0UL;
            for (var shift = 0; shift < 64; shift += 7)
            {
                var part = Fixed(1);
                value |= (part & 0x7F) << shift;
                if (part < 0x80)
                {
                    return value;
                }
            }

            _failed = true;
            return 0;
        }
    }
}
