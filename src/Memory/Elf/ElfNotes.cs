using System.Buffers.Binary;

namespace NativeHeap.Memory.Elf;

/// <summary>Notes: (name size, descriptor size, type), name, descriptor, each padded to four bytes.</summary>
internal static class ElfNotes
{
    private const int HeaderBytes = 12;
    private const uint BuildIdType = 3; // NT_GNU_BUILD_ID

    /// <summary>The GNU build id among the notes at an offset, in lower-case hex; null when there is none.</summary>
    internal static string? FindBuildId(ElfFile file, ulong offset, ulong size)
    {
        if (size is < HeaderBytes or > ElfLimits.NoteBytes)
        {
            return null;
        }

        var bytes = new byte[size];
        ReadOnlySpan<byte> rest = bytes.AsSpan(0, file.ReadAt(offset, bytes));
        while (rest.Length >= HeaderBytes)
        {
            var nameSize = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            var size32 = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
            var type = BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]);
            rest = rest[HeaderBytes..];
            if (nameSize > ElfLimits.NoteBytes || size32 > ElfLimits.NoteBytes
                || Padded(nameSize) + (int)size32 > rest.Length)
            {
                return null;
            }

            var name = rest[..(int)nameSize];
            var descriptor = rest.Slice(Padded(nameSize), (int)size32);
            if (type == BuildIdType && name.SequenceEqual("GNU\0"u8))
            {
                return descriptor.Length is > 0 and <= ElfLimits.BuildIdBytes
                    ? Convert.ToHexStringLower(descriptor)
                    : null;
            }

            rest = rest[Math.Min(rest.Length, Padded(nameSize) + Padded(size32))..];
        }

        return null;
    }

    private static int Padded(uint size) => (int)((size + 3) & ~3u);
}
