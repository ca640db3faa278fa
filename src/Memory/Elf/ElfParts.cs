using System.Buffers.Binary;

namespace NativeHeap.Memory.Elf;

/// <summary>A program header.</summary>
/// <param name="Kind">p_type.</param>
/// <param name="Flags">p_flags.</param>
/// <param name="Offset">p_offset.</param>
/// <param name="Address">p_vaddr.</param>
/// <param name="FileBytes">p_filesz.</param>
/// <param name="MemoryBytes">p_memsz.</param>
public readonly record struct ElfSegment(
    uint Kind, uint Flags, ulong Offset, ulong Address, ulong FileBytes, ulong MemoryBytes)
{
    /// <summary>PT_LOAD.</summary>
    public const uint Load = 1;

    /// <summary>PT_DYNAMIC.</summary>
    public const uint Dynamic = 2;

    /// <summary>PT_INTERP.</summary>
    public const uint InterpreterPath = 3;

    /// <summary>PT_NOTE.</summary>
    public const uint Note = 4;
}

/// <summary>A section header.</summary>
/// <param name="Name">Name; empty when it cannot be read.</param>
/// <param name="NameOffset">sh_name.</param>
/// <param name="Kind">sh_type.</param>
/// <param name="Offset">sh_offset.</param>
/// <param name="Bytes">sh_size.</param>
/// <param name="Link">sh_link.</param>
/// <param name="EntryBytes">sh_entsize.</param>
public readonly record struct ElfSection(
    string Name, uint NameOffset, uint Kind, ulong Offset, ulong Bytes, uint Link, ulong EntryBytes)
{
    private const ulong CompressedFlag = 0x800;

    /// <summary>SHT_SYMTAB.</summary>
    public const uint SymbolTable = 2;

    /// <summary>SHT_NOTE.</summary>
    public const uint Note = 7;

    /// <summary>SHT_NOBITS.</summary>
    public const uint NoBits = 8;

    /// <summary>SHT_DYNSYM.</summary>
    public const uint DynamicSymbols = 11;

    /// <summary>SHF_COMPRESSED: the contents begin with an Elf64_Chdr.</summary>
    public bool IsCompressed { get; private init; }

    /// <summary>False for a section without bytes in the file.</summary>
    public bool HasContents => Kind is not (NoBits or 0) && Bytes != 0;

    internal static ElfSection Parse(ReadOnlySpan<byte> entry) => new(
        string.Empty,
        BinaryPrimitives.ReadUInt32LittleEndian(entry),
        BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]),
        BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]),
        BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]),
        BinaryPrimitives.ReadUInt32LittleEndian(entry[40..]),
        BinaryPrimitives.ReadUInt64LittleEndian(entry[56..]))
    {
        IsCompressed = (BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]) & CompressedFlag) != 0,
    };
}

/// <summary>Where separate debug information is to be looked for.</summary>
/// <param name="FileName">Name of the file, without a folder as a rule.</param>
/// <param name="Checksum">CRC-32 of the whole file.</param>
public readonly record struct ElfDebugLink(string FileName, uint Checksum);
