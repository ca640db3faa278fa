using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Symbols.Tests;

/// <summary>Where symbols are looked for, and that another build's are never taken.</summary>
public sealed class FileTests : IDisposable
{
    private const string Source = """
        __attribute__((noinline)) static int inner(int n) { mark("inner"); return n; }
        __attribute__((noinline)) int shown(int n) { mark("shown"); return inner(n) + 1; }
        int main(int n, char **v) { return shown(n) == 0; }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    public void Separate_debug_information_is_found_by_build_id(LineTools tools)
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        SplitByBuildId(program.Path);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools, _folder["debug"]);
        using var without = SymbolizerHarness.Symbolizer(tools, _folder["elsewhere"]);

        Assert.Equal([$"inner program.c:{program.Line("inner")}"], symbolizer.Resolve(program["inner"]).Shown());
        Assert.Empty(without.Resolve(program["inner"]));
    }

    [Fact]
    public void Debug_information_under_the_name_of_another_build_is_left_out_with_a_note()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var debug = SplitByBuildId(program.Path);
        var other = MarkedProgram.C(_folder, "other", Source + "int other;");
        File.Copy(other.Path, debug, overwrite: true);
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.Addr2Line, _folder["debug"]);

        Assert.Empty(symbolizer.Resolve(program["inner"]));
        Assert.Contains("is not the debug information of build", Assert.Single(symbolizer.Notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".debug/")]
    public void Separate_debug_information_is_found_by_a_link_and_its_checksum(string where)
    {
        var program = MarkedProgram.C(_folder, "program", Source, "-Wl,--build-id=none");
        var place = program["inner"];
        Assert.Null(place.Module!.BuildId);
        var debug = _folder["program.debug"];
        Tool.Run("objcopy", "--only-keep-debug", program.Path, debug);
        Tool.Run("objcopy", "--strip-all", "--add-gnu-debuglink=" + debug, program.Path);
        Directory.CreateDirectory(_folder[where]);
        File.Move(debug, _folder[where + "program.debug"]);
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.Addr2Line);

        Assert.Equal([$"inner program.c:{program.Line("inner")}"], symbolizer.Resolve(place).Shown());

        using (var file = File.OpenWrite(_folder[where + "program.debug"]))
        {
            file.Seek(-1, SeekOrigin.End);
            file.WriteByte(0x5a);
        }

        using var after = SymbolizerHarness.Symbolizer(LineTools.Addr2Line);
        Assert.Empty(after.Resolve(place));
    }

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.None)]
    public void A_stripped_binary_names_exported_functions_and_nothing_else(LineTools tools)
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        Tool.Run("strip", program.Path);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        Assert.Equal(["shown :"], symbolizer.Resolve(program["shown"]).Shown());
        Assert.Empty(symbolizer.Resolve(program["inner"]));
    }

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    [InlineData(LineTools.None)]
    public void A_binary_rebuilt_since_gives_no_names_but_a_note(LineTools tools)
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var recorded = program["inner"];
        MarkedProgram.C(_folder, "program", "int shift(int n) { return n * 31; }\n" + Source);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        Assert.Empty(symbolizer.Resolve(recorded));
        Assert.Equal([$"{program.Path} is not the build that was recorded: its symbols are left out"], symbolizer.Notes);
    }

    [Fact]
    public void A_binary_that_got_or_lost_its_build_id_is_another_build()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var place = program["inner"];
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.None);

        Assert.Empty(symbolizer.Resolve(place with { Module = new Binary(program.Path, null) }));
        Assert.Empty(symbolizer.Resolve(place with { Module = new Binary(program.Path, "00ff") }));
        Assert.NotEmpty(symbolizer.Resolve(place));
    }

    [Fact]
    public void A_rebuilt_or_deleted_binary_still_has_names_where_its_debug_information_is_kept()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var place = program["inner"];
        SplitByBuildId(program.Path);
        File.Delete(program.Path);
        var deleted = place with { Module = place.Module! with { Path = program.Path + " (deleted)" } };
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.Addr2Line, _folder["debug"]);

        Assert.Equal([$"inner program.c:{program.Line("inner")}"], symbolizer.Resolve(deleted).Shown());
        Assert.Equal([$"inner program.c:{program.Line("inner")}"], symbolizer.Resolve(place).Shown());
    }

    [Fact]
    public void A_deleted_file_that_was_put_back_is_known_by_its_build_id_alone()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var nameless = MarkedProgram.C(_folder, "nameless", Source, "-Wl,--build-id=none");
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.None);

        Assert.Equal(["inner :"], symbolizer.Resolve(Deleted(program["inner"])).Shown());
        Assert.Empty(symbolizer.Resolve(Deleted(nameless["inner"])));
        Assert.Contains("has no build id to know it by", Assert.Single(symbolizer.Notes), StringComparison.Ordinal);
        Assert.Equal(["inner :"], symbolizer.Resolve(nameless["inner"]).Shown());
    }

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    public void A_library_that_was_loaded_and_unloaded_again_keeps_its_names(LineTools tools)
    {
        var library = Tool.CompileC(_folder, "plugin.so", """
            void mark(const char *);
            __attribute__((noinline)) static int work(int n) { mark("plugin"); return n + 1; }
            int plugin(int n) { return work(n) * 2; }
            """, "-shared", "-fPIC", "-O2", "-g");
        var program = MarkedProgram.C(_folder, "host", $$"""
            #include <dlfcn.h>
            int main(void) {
                void *handle = dlopen("{{library}}", RTLD_NOW);
                int result = ((int (*)(int))dlsym(handle, "plugin"))(1);
                dlclose(handle);
                return dlopen("{{library}}", RTLD_NOW | RTLD_NOLOAD) != 0 || result != 4;
            }
            """);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        Assert.Equal(library, program["plugin"].Module!.Path);
        Assert.Equal(["work plugin.c:2"], symbolizer.Resolve(program["plugin"]).Shown().Select(frame => frame.Replace("plugin.so.c", "plugin.c")));
    }

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    public void Paths_may_hold_spaces_and_quotes(LineTools tools)
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        foreach (var name in new[] { "a program", "it's", "a \"quoted\" one", "umläut", "two\nlines" })
        {
            File.Copy(program.Path, _folder[name]);
            var place = program["inner"] with { Module = program["inner"].Module! with { Path = _folder[name] } };
            using var symbolizer = SymbolizerHarness.Symbolizer(tools);

            // A path that would break the line to a tool is named from its own symbols.
            var asked = !name.Contains('"') && !name.Contains('\n');
            Assert.Equal([asked ? $"inner program.c:{program.Line("inner")}" : "inner :"], symbolizer.Resolve(place).Shown());
        }
    }

    [Theory]
    [InlineData("[vdso]")]
    [InlineData("linux-vdso.so.1")]
    public void The_vdso_is_named_from_our_own_copy_if_it_is_the_same_build(string path)
    {
        var mapping = new ProcessReader(Environment.ProcessId).ReadMappings()!.FirstOrDefault(entry => entry.Path == "[vdso]");
        Assert.SkipWhen(mapping is null, "this kernel gives no vdso");
        var bytes = new byte[mapping.Size];
        System.Runtime.InteropServices.Marshal.Copy((nint)mapping.Start, bytes, 0, bytes.Length);
        File.WriteAllBytes(_folder["vdso"], bytes);
        using var image = ElfFile.TryOpen(_folder["vdso"], out _)!;
        var words = Tool.Run("nm", "-D", _folder["vdso"]).Split('\n').Select(line => line.Split(' '))
            .First(words => words.Length == 3 && words[2].StartsWith("__vdso_clock_gettime", StringComparison.Ordinal));
        var place = new Location(new Binary(path, image.BuildId), Convert.ToUInt64(words[0], 16) + 5, FrameKind.Native);
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.Llvm);

        Assert.EndsWith("clock_gettime", Assert.Single(symbolizer.Resolve(place)).Function, StringComparison.Ordinal);
        Assert.Empty(symbolizer.Resolve(place with { Module = new Binary(path, "0123456789abcdef") }));
    }

    [Fact]
    public void Places_without_code_without_a_binary_and_without_a_file_stay_unresolved_in_order()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var binary = program["inner"].Module!;
        using var symbolizer = SymbolizerHarness.Symbolizer(LineTools.Addr2Line);

        var results = symbolizer.ResolveAll(
        [
            program["shown"],
            new Location(null, 0x1234, FrameKind.Native),
            new Location(binary, 1, FrameKind.Entry),
            new Location(binary, 0, FrameKind.Native),
            program["inner"],
            new Location(binary, ulong.MaxValue, FrameKind.Native),
            new Location(new Binary("/nowhere/at all", "aa"), 16, FrameKind.Native),
            new Location(new Binary("relative", null), 16, FrameKind.Native),
            new Location(new Binary(string.Empty, "../../../../etc"), 16, FrameKind.Native),
            program["shown"],
        ]);

        Assert.Equal(
            ["shown", null, null, null, "inner", null, null, null, null, "shown"],
            results.Select(frames => frames.SingleOrDefault()?.Function));
    }

    private static Location Deleted(Location place) =>
        place with { Module = place.Module! with { Path = place.Module.Path + " (deleted)" } };

    // Moves the debug information to where its build id leads; returns that file.
    private string SplitByBuildId(string path)
    {
        string id;
        using (var file = ElfFile.TryOpen(path, out _)!)
        {
            id = file.BuildId!;
        }

        Directory.CreateDirectory(_folder["debug/.build-id/" + id[..2]]);
        var debug = _folder[$"debug/.build-id/{id[..2]}/{id[2..]}.debug"];
        Tool.Run("objcopy", "--only-keep-debug", path, debug);
        Tool.Run("strip", path);
        return debug;
    }
}
