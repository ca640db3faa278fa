using System.Buffers.Binary;

namespace NativeHeap.Memory.Elf;

/// <summary>What an ELF file is (e_type).</summary>
public enum ElfKind
{
    /// <summary>Anything not listed here.</summary>
    Other = 0,

    /// <summary>ET_REL: an object file.</summary>
    Relocatable = 1,

    /// <summary>ET_EXEC: an executable at fixed addresses.</summary>
    Executable = 2,

    /// <summary>ET_DYN: a shared library or a position-independent executable.</summary>
    Shared = 3,

    /// <summary>ET_CORE: a core dump.</summary>
    Core = 4,
}

/// <summary>The machines that are told apart by name (e_machine); any other value stands for itself.</summary>
public enum ElfMachine
{
    /// <summary>32-bit x86.</summary>
    I386 = 3,

    /// <summary>64-bit PowerPC.</summary>
    PowerPC64 = 21,

    /// <summary>IBM Z.</summary>
    S390 = 22,

    /// <summary>32-bit Arm.</summary>
    Arm = 40,

    /// <summary>64-bit x86.</summary>
    X86_64 = 62,

    /// <summary>64-bit Arm.</summary>
    AArch64 = 183,

    /// <summary>RISC-V.</summary>
    RiscV = 243,

    /// <summary>LoongArch.</summary>
    LoongArch = 258,
}

/// <summary>The ELF header, read for either class and byte order (System V ABI, chapter 4).</summary>
/// <param name="Is64Bit">ELFCLASS64.</param>
/// <param name="IsLittleEndian">ELFDATA2LSB.</param>
/// <param name="Kind">e_type.</param>
/// <param name="Machine">e_machine.</param>
/// <param name="Entry">e_entry.</param>
/// <param name="ProgramHeaderOffset">e_phoff.</param>
/// <param name="ProgramHeaderSize">e_phentsize.</param>
/// <param name="ProgramHeaderCount">e_phnum.</param>
/// <param name="SectionHeaderOffset">e_shoff.</param>
/// <param name="SectionHeaderSize">e_shentsize.</param>
/// <param name="SectionHeaderCount">e_shnum; 0 may mean that the first section tells.</param>
/// <param name="SectionNames">e_shstrndx.</param>
public readonly record struct ElfHeader(
    bool Is64Bit,
    bool IsLittleEndian,
    ElfKind Kind,
    ElfMachine Machine,
    ulong Entry,
    ulong ProgramHeaderOffset,
    int ProgramHeaderSize,
    int ProgramHeaderCount,
    ulong SectionHeaderOffset,
    int SectionHeaderSize,
    int SectionHeaderCount,
    int SectionNames)
{
    /// <summary>Bytes of the longer (64-bit) header.</summary>
    public const int MaximumSize = 64;

    private const int SmallSize = 52;

    /// <summary>True when <paramref name="bytes"/> begin with the ELF magic number.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith("\x7f"u8) && bytes[1..].StartsWith("ELF"u8);

    /// <summary>Reads the header from a file's first bytes; false when they are no ELF header.</summary>
    /// <param name="bytes">Up to <see cref="MaximumSize"/> bytes from the file's start.</param>
    /// <param name="header">The header.</param>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out ElfHeader header)
    {
        header = default;
        if (bytes.Length < SmallSize || !HasMagic(bytes) || bytes[4] is not (1 or 2) || bytes[5] is not (1 or 2))
        {
            return false;
        }

        var wide = bytes[4] == 2;
        var little = bytes[5] == 1;
        if (wide && bytes.Length < MaximumSize)
        {
            return false;
        }

        // After the 24 bytes that both classes share, every address-sized field makes the difference.
        var word = wide ? 8 : 4;
        var sizes = bytes[(24 + (3 * word) + 4)..];
        var kind = Half(bytes[16..], little);
        header = new ElfHeader(
            wide,
            little,
            kind is >= 1 and <= 4 ? (ElfKind)kind : ElfKind.Other,
            (ElfMachine)Half(bytes[18..], little),
            Address(bytes[24..], wide, little),
            Address(bytes[(24 + word)..], wide, little),
            Half(sizes[2..], little),
            Half(sizes[4..], little),
            Address(bytes[(24 + (2 * word))..], wide, little),
            Half(sizes[6..], little),
            Half(sizes[8..], little),
            Half(sizes[10..], little));
        return true;
    }

    private static int Half(ReadOnlySpan<byte> bytes, bool little) => little
        ? BinaryPrimitives.ReadUInt16LittleEndian(bytes)
        : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static ulong Address(ReadOnlySpan<byte> bytes, bool wide, bool little) => (wide, little) switch
    {
        (true, true) => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        (true, false) => BinaryPrimitives.ReadUInt64BigEndian(bytes),
        (false, true) => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        (false, false) => BinaryPrimitives.ReadUInt32BigEndian(bytes),
    };
}
