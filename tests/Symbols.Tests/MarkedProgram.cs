using System.Globalization;
using NativeHeap.Memory.Elf;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Symbols.Tests;

/// <summary>
/// A program whose source has calls mark("name"). Run, each call tells the binary it stands in and its own return
/// address there; the line is where the call stands in the source.
/// </summary>
internal sealed class MarkedProgram
{
    private const string Mark = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <link.h>
        #include <stdio.h>
        __attribute__((noinline, visibility("default"))) void mark(const char *name) {
            char *from = __builtin_return_address(0);
            Dl_info info;
            struct link_map *map;
            dladdr1(from, &info, (void **)&map, RTLD_DL_LINKMAP);
            printf("%s %lx %s\n", name, (unsigned long)(from - map->l_addr), map->l_name);
            fflush(stdout);
        }
        """;

    private readonly string _source;
    private readonly Dictionary<string, Location> _places;

    private MarkedProgram(string path, string source)
    {
        Path = path;
        _source = source;
        _places = Run(path);
    }

    public string Path { get; }

    /// <summary>Where mark("name") was called.</summary>
    public Location this[string name] => _places[name];

    /// <summary>Line of the call mark("name") in the source, from 1.</summary>
    public int Line(string name) => LineOf($"mark(\"{name}\")");

    /// <summary>Line of any text that stands once in the source.</summary>
    public int LineOf(string text) => 1 + Array.FindIndex(_source.Split('\n'), line => line.Contains(text, StringComparison.Ordinal));

    /// <summary>An object file with mark().</summary>
    public static string Marker(TempFolder folder) =>
        File.Exists(folder["mark.o"]) ? folder["mark.o"] : Tool.CompileC(folder, "mark.o", Mark, "-c", "-O1", "-fPIC");

    public static MarkedProgram C(TempFolder folder, string name, string source, params string[] arguments)
    {
        var text = "void mark(const char *);\n" + source;
        return new(Tool.CompileC(folder, name, text, [Marker(folder), "-O2", "-g", "-rdynamic", .. arguments]), text);
    }

    public static MarkedProgram Cpp(TempFolder folder, string name, string source, params string[] arguments)
    {
        var text = "extern \"C\" void mark(const char *);\n" + source;
        return new(Tool.CompileCpp(folder, name, text, [Marker(folder), "-O2", "-g", .. arguments]), text);
    }

    public static MarkedProgram Rust(TempFolder folder, string name, string source, params string[] arguments)
    {
        var file = folder.Write(name + ".rs", source);

        // The legacy scheme is an unstable option of newer compilers.
        Tool.Run("env", [
            "RUSTC_BOOTSTRAP=1", "rustc", "-Zunstable-options", "--edition=2021", "-O", "-g", "-C", "link-arg=" + Marker(folder), "-o", folder[name], file, .. arguments]);
        return new(folder[name], source);
    }

    private static Dictionary<string, Location> Run(string path)
    {
        var places = new Dictionary<string, Location>(StringComparer.Ordinal);
        foreach (var line in Tool.Run(path).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ', 3);
            var module = words[2].Length == 0 ? path : words[2];
            using var file = ElfFile.TryOpen(module, out _)!;
            var offset = ulong.Parse(words[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            places.Add(words[0], new Location(new Binary(module, file.BuildId), offset, FrameKind.Native));
        }

        return places;
    }
}
