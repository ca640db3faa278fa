using System.Buffers.Binary;
using CsCheck;
using NativeHeap.Memory.Elf;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Elf;

/// <summary>A reader of files nobody vouches for: whatever they hold, it neither throws nor reads without end.</summary>
public sealed class ElfFuzzTests : IDisposable
{
    private static readonly Gen<ulong> Values = Gen.OneOf(
        Gen.ULong,
        Gen.ULong[0, 64],
        Gen.OneOf(ulong.MaxValue, (ulong)long.MaxValue, 0xfffffffful, 0xfffful));

    private static readonly Gen<Change> Changes = Gen.Select(
        Gen.Int[0, 99],
        Gen.Int[0, int.MaxValue],
        Values,
        Gen.OneOf(1, 2, 4, 8),
        (where, at, value, width) => new Change(where, at, value, width));

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Mutated_real_files_never_crash_or_hang_the_reader()
    {
        var original = File.ReadAllBytes(Tool.CompileC(
            _folder, "program", "int main(int n, char **v) { return n + (v[0][0] == 'x'); }", "-g"));
        var structures = Structures(original);
        Assert.True(Exercise(original) > 0, "the unchanged file has functions");

        Gen.Select(Changes.Array[1, 24], Gen.Int[0, 9], Gen.Int[0, original.Length]).Sample(
            (changes, cut, length) =>
            {
                var bytes = original.ToArray();
                foreach (var change in changes)
                {
                    change.Apply(bytes, structures);
                }

                Exercise(cut == 0 ? bytes[..length] : bytes);
            },
            iter: 20_000,
            threads: 2);
    }

    [Fact]
    public void A_file_that_claims_the_largest_counts_is_read_no_further_than_the_limits()
    {
        var bytes = new byte[1 << 20];
        var header = bytes.AsSpan();
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], 8);   // e_phoff
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], 64);  // e_shoff
        BinaryPrimitives.WriteUInt16LittleEndian(header[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(header[56..], 0xffff);
        BinaryPrimitives.WriteUInt16LittleEndian(header[58..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(header[60..], 0);   // e_shnum: the first section tells
        BinaryPrimitives.WriteUInt64LittleEndian(header[(64 + 32)..], ulong.MaxValue);

        using var file = ElfFile.TryRead(new MemoryByteSource(bytes), out _)!;

        Assert.Equal(1024, file.Segments.Count);
        Assert.Equal((bytes.Length / 64) - 1, file.Sections.Count);
    }

    // Where most changes fall: headers, tables, dynamic section, notes, symbols and their names.
    private static List<(int Start, int Length)> Structures(byte[] original)
    {
        using var file = ElfFile.TryRead(new MemoryByteSource(original), out _)!;
        var ranges = new List<(int, int)>
        {
            (0, 64),
            ((int)file.Header.ProgramHeaderOffset, file.Header.ProgramHeaderCount * 56),
            ((int)file.Header.SectionHeaderOffset, file.Header.SectionHeaderCount * 64),
        };
        ranges.AddRange(file.Sections
            .Where(section => section.Kind is ElfSection.Note or ElfSection.SymbolTable or ElfSection.DynamicSymbols
                || section.Name is ".dynamic" or ".strtab" or ".shstrtab" or ".interp")
            .Select(section => ((int)section.Offset, (int)section.Bytes)));
        return ranges;
    }

    private static int Exercise(byte[] bytes)
    {
        using var file = ElfFile.TryRead(new MemoryByteSource(bytes), out var problem);
        if (file is null)
        {
            Assert.NotNull(problem);
            return 0;
        }

        var functions = file.ReadFunctions();
        foreach (var segment in file.Segments)
        {
            functions.Find(segment.Address);
            functions.Find(unchecked(segment.Address + segment.MemoryBytes - 1));
        }

        functions.Find(0);
        functions.Find(file.Header.Entry);
        functions.Find(ulong.MaxValue);
        file.FindSection(".debug_info");
        return functions.Count;
    }

    private sealed record Change(int Where, int At, ulong Value, int Width)
    {
        public void Apply(byte[] bytes, List<(int Start, int Length)> structures)
        {
            var (start, length) = Where < 80 ? structures[Where % structures.Count] : (0, bytes.Length);
            var offset = (start + (At % length)) & ~(Width - 1);
            Span<byte> value = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(value, Value);
            value[..Math.Min(Width, bytes.Length - offset)].CopyTo(bytes.AsSpan(offset));
        }
    }
}
