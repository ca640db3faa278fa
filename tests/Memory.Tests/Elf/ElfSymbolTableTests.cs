using System.Globalization;
using NativeHeap.Memory.Elf;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Elf;

public sealed class ElfSymbolTableTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_function_nm_lists_in_a_large_library_is_found_at_its_first_and_last_byte()
    {
        var library = Tool.Run("gcc", "-print-file-name=libstdc++.so.6").Trim();
        var functions = Tool.Run("nm", "-D", "-S", "--defined-only", "--without-symbol-versions", library)
            .Split('\n')
            .Select(line => line.Split(' '))
            .Where(words => words is [_, _, "T" or "W" or "i", _])
            .Select(words => (Name: words[3], Start: Hex(words[0]), Size: Hex(words[1])))
            .ToList();
        var names = functions.ToLookup(function => function.Start, function => function.Name);
        using var file = ElfFile.TryOpen(library, out _)!;
        var table = file.ReadFunctions();

        Assert.True(functions.Count > 1000);
        foreach (var (_, start, size) in functions)
        {
            Assert.Contains(table.Find(start)?.Name, names[start]);
            Assert.Contains(table.Find(start + size - 1)?.Name, names[start]);
        }
    }

    [Fact]
    public void Bytes_that_no_sized_function_covers_have_no_name()
    {
        // "unsized" covers nothing, although it is the nearest symbol before its own bytes.
        var path = Tool.CompileC(_folder, "lib.so", """
            __asm__(".globl sized, unsized\n.type sized, @function\n.type unsized, @function\n"
                    "sized: .skip 16, 0x90\n.size sized, 16\n"
                    "gap: .skip 16, 0x90\n"
                    "unsized: .skip 16, 0x90\n");
            """, "-shared", "-fPIC");
        using var file = ElfFile.TryOpen(path, out _)!;
        var table = file.ReadFunctions();
        var start = Addresses(path)["sized"];

        Assert.Equal(new ElfSymbol("sized", start, 16), table.Find(start + 15));
        Assert.Null(table.Find(start + 16));
        Assert.Null(table.Find(start + 32));
        Assert.Null(table.Find(start + 40));
        Assert.NotEqual("sized", table.Find(start - 1)?.Name);
    }

    [Fact]
    public void The_innermost_of_nested_functions_and_the_plainest_of_aliases_is_named()
    {
        var path = Tool.CompileC(_folder, "lib.so", """
            __asm__(".globl outer, __alias, alias\n.weak a\n"
                    ".type outer, @function\n.type inner, @function\n"
                    ".type __alias, @function\n.type alias, @function\n.type a, @function\n"
                    "outer: .skip 8, 0x90\n"
                    "inner: __alias: alias: a: .skip 8, 0x90\n"
                    ".size inner, 8\n.size __alias, 8\n.size alias, 8\n.size a, 8\n"
                    ".skip 8, 0x90\n.size outer, 24\n");
            """, "-shared", "-fPIC");
        using var file = ElfFile.TryOpen(path, out _)!;
        var table = file.ReadFunctions();
        var outer = Addresses(path)["outer"];

        Assert.Equal("outer", table.Find(outer + 7)?.Name);
        Assert.Equal("alias", table.Find(outer + 8)?.Name);
        Assert.Equal("outer", table.Find(outer + 16)?.Name);
    }

    [Fact]
    public void A_stripped_library_still_names_what_it_exports_and_nothing_else()
    {
        var path = Tool.CompileC(_folder, "lib.so", """
            __attribute__((noinline)) static int hidden(int x) { return x * 3; }
            int shown(int x) { return hidden(x) + 1; }
            """, "-shared", "-fPIC", "-O1");
        var addresses = Addresses(path);
        Tool.Run("strip", path);
        using var file = ElfFile.TryOpen(path, out _)!;
        var table = file.ReadFunctions();

        Assert.Equal("shown", table.Find(addresses["shown"])?.Name);
        Assert.Null(table.Find(addresses["hidden"]));
    }

    private static Dictionary<string, ulong> Addresses(string path) => Tool.Run("nm", path)
        .Split('\n')
        .Select(line => line.Split(' '))
        .Where(words => words is [{ Length: > 0 }, _, _])
        .ToDictionary(words => words[2], words => Hex(words[0]));

    private static ulong Hex(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
