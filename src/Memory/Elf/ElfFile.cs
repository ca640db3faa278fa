using System.Buffers.Binary;
using System.Text;

namespace NativeHeap.Memory.Elf;

/// <summary>
/// Reads the few parts of an ELF file that tell how it starts, what it is called and where its symbols are
/// (System V ABI chapters 4 and 5; notes and debug links as binutils writes them). The file is not trusted: every
/// offset and count is bounded, and a part that does not make sense counts as absent. Contents are read of 64-bit
/// little-endian files only; of others the header is known. Safe from several threads if its source is.
/// </summary>
public sealed class ElfFile : IDisposable
{
    private const int SegmentBytes = 56;
    private const int SectionBytes = 64;

    private readonly IByteSource _source;
    private readonly List<ElfSegment> _segments = [];
    private readonly List<ElfSection> _sections = [];

    private ElfFile(IByteSource source, ElfHeader header)
    {
        _source = source;
        Header = header;
        if (!header.Is64Bit || !header.IsLittleEndian)
        {
            return;
        }

        ReadSegments();
        ReadSections();
        Dynamic = ElfDynamic.Read(this);
        Interpreter = ReadInterpreter();
        BuildId = ReadBuildId();
        DebugLink = ReadDebugLink();
    }

    /// <summary>The header.</summary>
    public ElfHeader Header { get; }

    /// <summary>Program headers, in the file's order.</summary>
    public IReadOnlyList<ElfSegment> Segments => _segments;

    /// <summary>Section headers, in the file's order; empty when they were stripped.</summary>
    public IReadOnlyList<ElfSection> Sections => _sections;

    /// <summary>The dynamic section; null when there is none: a static program.</summary>
    public ElfDynamic? Dynamic { get; }

    /// <summary>PT_INTERP: the dynamic linker; null when there is none.</summary>
    public string? Interpreter { get; }

    /// <summary>GNU build id in lower-case hex; null when the file has none.</summary>
    public string? BuildId { get; }

    /// <summary>.gnu_debuglink: which file has the debug information; null when there is none.</summary>
    public ElfDebugLink? DebugLink { get; }

    internal IByteSource Source => _source;

    /// <summary>Opens a file; the result owns it.</summary>
    /// <param name="path">Path of a regular file.</param>
    /// <param name="problem">Why it is no ELF file or cannot be read, in a few words; null on success.</param>
    /// <returns>The file, or null.</returns>
    public static ElfFile? TryOpen(string path, out string? problem)
    {
        var source = FileByteSource.TryOpen(path, out problem);
        if (source is null)
        {
            return null;
        }

        var file = TryRead(source, out problem);
        if (file is null)
        {
            source.Dispose();
        }

        return file;
    }

    /// <summary>Reads from any source, which then belongs to the result.</summary>
    /// <param name="source">The bytes.</param>
    /// <param name="problem">Why they are no ELF file; null on success.</param>
    /// <returns>The file, or null; then <paramref name="source"/> still belongs to the caller.</returns>
    public static ElfFile? TryRead(IByteSource source, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(source);
        problem = null;
        Span<byte> start = stackalloc byte[ElfHeader.MaximumSize];
        start = start[..source.Read(0, start)];
        if (!ElfHeader.TryParse(start, out var header))
        {
            problem = ElfHeader.HasMagic(start) ? "a damaged ELF header" : "no ELF file";
            return null;
        }

        return new ElfFile(source, header);
    }

    /// <summary>The first section of that name that has contents in this file (not NOBITS, as in a file that holds
    /// debug information alone); null when there is none.</summary>
    public ElfSection? FindSection(string name)
    {
        foreach (var section in _sections)
        {
            if (section.HasContents && section.Name == name)
            {
                return section;
            }
        }

        return null;
    }

    /// <summary>The bytes of a section as they are in the file.</summary>
    /// <returns>How many there were; fewer than the section has when the file is cut short.</returns>
    public int ReadContents(ElfSection section, Span<byte> destination) =>
        ReadAt(section.Offset, destination[..(int)Math.Min((ulong)destination.Length, section.Bytes)]);

    /// <summary>Functions of .symtab, or of .dynsym when that was stripped. Empty when there are neither.</summary>
    public ElfSymbolTable ReadFunctions() => ElfSymbolTable.Read(this);

    /// <summary>Data (variables, virtual tables) of .symtab, or of .dynsym when that was stripped.</summary>
    public ElfSymbolTable ReadData() => ElfSymbolTable.Read(this, data: true);

    /// <inheritdoc/>
    public void Dispose() => _source.Dispose();

    /// <summary>Bytes at a virtual address as the file's loadable segments hold them; 0 when none does.</summary>
    public int ReadVirtual(ulong address, Span<byte> destination)
    {
        foreach (var segment in _segments)
        {
            if (segment.Kind == ElfSegment.Load && address >= segment.Address
                && address - segment.Address < segment.FileBytes)
            {
                var within = address - segment.Address;
                var most = (int)Math.Min((ulong)destination.Length, segment.FileBytes - within);
                return ReadAt(segment.Offset + within, destination[..most]);
            }
        }

        return 0;
    }

    /// <summary>A NUL-terminated string; null when it has no end within the limit.</summary>
    internal string? ReadString(ulong offset, int limit)
    {
        Span<byte> chunk = stackalloc byte[256];
        var count = ReadAt(offset, chunk);
        var end = chunk[..count].IndexOf((byte)0);
        if (end >= 0)
        {
            return Encoding.UTF8.GetString(chunk[..end]);
        }

        if (count < chunk.Length)
        {
            return null;
        }

        var longer = new byte[limit];
        count = ReadAt(offset, longer);
        end = longer.AsSpan(0, count).IndexOf((byte)0);
        return end < 0 ? null : Encoding.UTF8.GetString(longer, 0, end);
    }

    internal int ReadAt(ulong offset, Span<byte> destination) =>
        offset > long.MaxValue ? 0 : _source.Read((long)offset, destination);

    private void ReadSegments()
    {
        var most = Header.Kind == ElfKind.Core ? ElfLimits.CoreSegments : ElfLimits.ProgramHeaders;
        var count = Math.Min(Header.ProgramHeaderCount, most);
        if (Header.ProgramHeaderSize < SegmentBytes)
        {
            return;
        }

        Span<byte> entry = stackalloc byte[SegmentBytes];
        for (var i = 0; i < count; i++)
        {
            if (ReadAt(Header.ProgramHeaderOffset + (ulong)(i * Header.ProgramHeaderSize), entry) < entry.Length)
            {
                break;
            }

            _segments.Add(new ElfSegment(
                BinaryPrimitives.ReadUInt32LittleEndian(entry),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[40..])));
        }
    }

    private void ReadSections()
    {
        if (Header.SectionHeaderOffset == 0 || Header.SectionHeaderSize < SectionBytes)
        {
            return;
        }

        Span<byte> entry = stackalloc byte[SectionBytes];
        if (ReadAt(Header.SectionHeaderOffset, entry) < entry.Length)
        {
            return;
        }

        // Extended numbering: with 0xff00 sections or more, the first one's header holds the real figures.
        var first = ElfSection.Parse(entry);
        var count = Header.SectionHeaderCount != 0 ? (ulong)Header.SectionHeaderCount : first.Bytes;
        var names = Header.SectionNames != 0xffff ? (ulong)Header.SectionNames : first.Link;
        count = Math.Min(count, ElfLimits.Sections);
        for (ulong i = 0; i < count; i++)
        {
            if (ReadAt(Header.SectionHeaderOffset + (i * (ulong)Header.SectionHeaderSize), entry) < entry.Length)
            {
                break;
            }

            _sections.Add(ElfSection.Parse(entry));
        }

        NameSections(names);
    }

    private void NameSections(ulong names)
    {
        if (names >= (ulong)_sections.Count)
        {
            return;
        }

        var table = _sections[(int)names];
        for (var i = 0; i < _sections.Count; i++)
        {
            var section = _sections[i];
            if (section.NameOffset < table.Bytes)
            {
                var name = ReadString(table.Offset + section.NameOffset, ElfLimits.PathBytes);
                _sections[i] = section with { Name = name ?? string.Empty };
            }
        }
    }

    private string? ReadInterpreter()
    {
        foreach (var segment in _segments)
        {
            if (segment.Kind == ElfSegment.InterpreterPath)
            {
                return ReadString(segment.Offset, ElfLimits.PathBytes);
            }
        }

        return null;
    }

    private string? ReadBuildId()
    {
        // Notes are in segments as a rule; a file of debug information alone has them as a section with contents,
        // while its segments may point at nothing.
        foreach (var section in _sections.Where(section => section.Kind == ElfSection.Note).Take(ElfLimits.Notes))
        {
            if (ElfNotes.FindBuildId(this, section.Offset, section.Bytes) is { } id)
            {
                return id;
            }
        }

        foreach (var segment in _segments.Where(segment => segment.Kind == ElfSegment.Note).Take(ElfLimits.Notes))
        {
            if (ElfNotes.FindBuildId(this, segment.Offset, segment.FileBytes) is { } id)
            {
                return id;
            }
        }

        return null;
    }

    private ElfDebugLink? ReadDebugLink()
    {
        if (FindSection(".gnu_debuglink") is not { } section || section.Bytes > ElfLimits.PathBytes)
        {
            return null;
        }

        // A name, padding to four bytes, a CRC-32 of the file it names.
        var bytes = new byte[section.Bytes];
        var count = ReadAt(section.Offset, bytes);
        var end = bytes.AsSpan(0, count).IndexOf((byte)0);
        var checksum = (end + 4) & ~3;
        return end <= 0 || checksum + 4 > count
            ? null
            : new ElfDebugLink(
                Encoding.UTF8.GetString(bytes, 0, end),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(checksum)));
    }
}
