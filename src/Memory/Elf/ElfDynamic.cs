using System.Buffers.Binary;

namespace NativeHeap.Memory.Elf;

/// <summary>What the dynamic section says (System V ABI, chapter 5).</summary>
/// <param name="Needed">DT_NEEDED, in order.</param>
/// <param name="SharedObjectName">DT_SONAME; null when there is none.</param>
/// <param name="IsPositionIndependentExecutable">DF_1_PIE: a program, not a library.</param>
public sealed record ElfDynamic(
    IReadOnlyList<string> Needed, string? SharedObjectName, bool IsPositionIndependentExecutable)
{
    private const int EntryBytes = 16;
    private const ulong PieFlag = 0x08000000;

    internal static ElfDynamic? Read(ElfFile file)
    {
        foreach (var segment in file.Segments)
        {
            if (segment.Kind == ElfSegment.Dynamic)
            {
                return ReadEntries(file, segment);
            }
        }

        return null;
    }

    private static ElfDynamic ReadEntries(ElfFile file, ElfSegment segment)
    {
        var needed = new List<ulong>();
        ulong? name = null;
        ulong strings = 0;
        var pie = false;
        Span<byte> entry = stackalloc byte[EntryBytes];
        var count = Math.Min(segment.FileBytes / EntryBytes, ElfLimits.DynamicEntries);
        for (ulong i = 0; i < count; i++)
        {
            if (file.ReadAt(segment.Offset + (i * EntryBytes), entry) < EntryBytes)
            {
                break;
            }

            var value = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            switch (BinaryPrimitives.ReadUInt64LittleEndian(entry))
            {
                case 0: // DT_NULL ends the list
                    count = 0;
                    break;
                case 1: // DT_NEEDED
                    needed.Add(value);
                    break;
                case 5: // DT_STRTAB
                    strings = value;
                    break;
                case 14: // DT_SONAME
                    name = value;
                    break;
                case 0x6ffffffb: // DT_FLAGS_1
                    pie = (value & PieFlag) != 0;
                    break;
            }
        }

        var names = new List<string>(needed.Count);
        foreach (var offset in needed)
        {
            if (ReadName(file, strings, offset) is { } library)
            {
                names.Add(library);
            }
        }

        return new ElfDynamic(names, name is { } own ? ReadName(file, strings, own) : null, pie);
    }

    private static string? ReadName(ElfFile file, ulong strings, ulong offset)
    {
        var bytes = new byte[ElfLimits.PathBytes];
        var count = file.ReadVirtual(unchecked(strings + offset), bytes);
        var end = bytes.AsSpan(0, count).IndexOf((byte)0);
        return end < 0 ? null : System.Text.Encoding.UTF8.GetString(bytes, 0, end);
    }
}
