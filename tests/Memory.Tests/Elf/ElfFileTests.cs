using NativeHeap.Memory.Elf;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Elf;

public sealed class ElfFileTests : IDisposable
{
    private const string Program = """
        #include <math.h>
        #include <stdio.h>
        __attribute__((noinline)) double scaled(double x) { return cos(x) * 3; }
        int main(int n, char **v) { printf("%f %s\n", scaled(n), v[0]); return 0; }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_dynamic_program_tells_its_linker_libraries_and_build_id()
    {
        using var file = Open(Tool.CompileC(
            _folder, "program", Program, "-pie", "-Wl,--build-id=0x00ab12cd00000000000000000000000000ffee07", "-lm"));

        Assert.Equal("/lib64/ld-linux-x86-64.so.2", file.Interpreter);
        Assert.NotNull(file.Dynamic);
        Assert.Equal(["libm.so.6", "libc.so.6"], file.Dynamic.Needed);
        Assert.True(file.Dynamic.IsPositionIndependentExecutable);
        Assert.Equal("00ab12cd00000000000000000000000000ffee07", file.BuildId);
        Assert.Equal((true, true, ElfKind.Shared, ElfMachine.X86_64), Shape(file));
    }

    [Fact]
    public void A_fixed_address_program_is_no_pie()
    {
        using var file = Open(Tool.CompileC(_folder, "program", Program, "-no-pie", "-lm"));

        Assert.Equal(ElfKind.Executable, file.Header.Kind);
        Assert.False(file.Dynamic!.IsPositionIndependentExecutable);
    }

    [Fact]
    public void A_shared_library_tells_its_name()
    {
        using var file = Open(Tool.CompileC(
            _folder, "lib.so", "int f(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libgiven.so.3"));

        Assert.Equal("libgiven.so.3", file.Dynamic!.SharedObjectName);
        Assert.False(file.Dynamic.IsPositionIndependentExecutable);
        Assert.Null(file.Interpreter);
    }

    [Fact]
    public void A_static_program_has_neither_linker_nor_dynamic_section()
    {
        using var file = Open(Tool.CompileC(_folder, "program", Program, "-static", "-lm"));

        Assert.Null(file.Interpreter);
        Assert.Null(file.Dynamic);
    }

    [Fact]
    public void A_static_pie_has_a_dynamic_section_but_no_linker()
    {
        using var file = Open(Tool.CompileC(_folder, "program", Program, "-static-pie", "-lm"));

        Assert.Null(file.Interpreter);
        Assert.True(file.Dynamic!.IsPositionIndependentExecutable);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("md5")]
    [InlineData("0xa7b8c9d0e1f20304")]
    public void Build_ids_of_any_length_read_as_readelf_shows_them(string style)
    {
        var path = Tool.CompileC(_folder, "program", Program, "-Wl,--build-id=" + style, "-lm");
        using var file = Open(path);

        var shown = Tool.Run("readelf", "-n", path).Split('\n').FirstOrDefault(line => line.Contains("Build ID:"));
        Assert.Equal(shown?.Split(':')[1].Trim(), file.BuildId);
    }

    [Fact]
    public void A_file_of_debug_information_alone_keeps_the_build_id_and_the_link_leads_to_it()
    {
        var path = Tool.CompileC(_folder, "program", Program, "-g", "-lm");
        var debug = _folder["program.debug"];
        Tool.Run("objcopy", "--only-keep-debug", path, debug);
        Tool.Run("objcopy", "--strip-all", "--add-gnu-debuglink=" + debug, path);
        using var stripped = Open(path);
        using var kept = Open(debug);

        Assert.NotNull(stripped.BuildId);
        Assert.Equal(stripped.BuildId, kept.BuildId);
        Assert.Equal("program.debug", stripped.DebugLink?.FileName);
        Assert.Equal(System.IO.Hashing.Crc32.HashToUInt32(File.ReadAllBytes(debug)), stripped.DebugLink?.Checksum);
        Assert.Null(stripped.FindSection(".debug_info"));
        Assert.NotNull(kept.FindSection(".debug_info"));
        Assert.Null(kept.FindSection(".text"));
    }

    [Fact]
    public void Headers_of_other_classes_and_byte_orders_are_recognised()
    {
        // A 32-bit big-endian header: class, order, ET_EXEC, EM_PPC, version, entry, phoff, shoff, flags, sizes.
        byte[] bytes =
        [
            0x7f, (byte)'E', (byte)'L', (byte)'F', 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 2, 0, 20, 0, 0, 0, 1, 0x10, 0, 0x01, 0x34, 0, 0, 0, 0x34, 0, 0, 0x20, 0,
            0, 0, 0, 0, 0, 0x34, 0, 0x20, 0, 9, 0, 0x28, 0, 30, 0, 29,
        ];
        using var file = ElfFile.TryRead(new MemoryByteSource(bytes), out _)!;

        var header = file.Header;
        Assert.Equal((false, false, ElfKind.Executable, (ElfMachine)20), Shape(file));
        Assert.Equal(0x10000134ul, header.Entry);
        Assert.Equal((0x34ul, 0x20, 9), (header.ProgramHeaderOffset, header.ProgramHeaderSize, header.ProgramHeaderCount));
        Assert.Equal((0x2000ul, 0x28, 30), (header.SectionHeaderOffset, header.SectionHeaderSize, header.SectionHeaderCount));
        Assert.Equal(29, header.SectionNames);
    }

    [Fact]
    public void What_is_no_elf_file_is_said_to_be_none()
    {
        Assert.Null(ElfFile.TryOpen(_folder.Write("text", "#!/bin/sh\n"), out var text));
        Assert.Equal("no ELF file", text);
        Assert.Null(ElfFile.TryOpen(_folder.Write("short", "\u007fELF\u0002\u0001"), out var damaged));
        Assert.Equal("a damaged ELF header", damaged);
        Assert.Null(ElfFile.TryOpen(_folder["missing"], out var missing));
        Assert.Equal("No such file or directory", missing);
        Assert.Null(ElfFile.TryOpen(_folder.Path, out var directory));
        Assert.Equal("not a regular file", directory);
    }

    [Fact]
    public void A_fifo_is_refused_without_waiting_for_a_writer()
    {
        Tool.Run("mkfifo", _folder["fifo"]);

        Assert.Null(ElfFile.TryOpen(_folder["fifo"], out var problem));
        Assert.Equal("not a regular file", problem);
    }

    private static ElfFile Open(string path)
    {
        var file = ElfFile.TryOpen(path, out var problem);
        Assert.True(file is not null, problem);
        return file;
    }

    private static (bool, bool, ElfKind, ElfMachine) Shape(ElfFile file) =>
        (file.Header.Is64Bit, file.Header.IsLittleEndian, file.Header.Kind, file.Header.Machine);
}
