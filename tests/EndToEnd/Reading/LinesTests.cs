using System.Text.Json;

namespace NativeHeap.EndToEnd.Reading;

/// <summary><c>lines</c> against programs that say of each of their lines what it allocates, in several languages.</summary>
public sealed class LinesTests : IDisposable
{
    private const string Marker = "//= ";

    // What a line of Rust allocates: vectors and boxes, through generics and a closure, all inlined at will.
    private const string RustSource = """
        use std::hint::black_box;

        fn boxed<T>(value: T) -> Box<T> {
            Box::new(value) //= 1024 1024 1
        }

        fn main() {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            kept.reserve_exact(8); //= 192 192 1
            for _ in 0..3 {
                kept.push(Vec::with_capacity(500)); //= 1500 1500 3
            }
            let make = |bytes: usize| Vec::<u8>::with_capacity(bytes); //= 700 700 1
            kept.push(make(700)); //= 700 700 1
            drop(black_box(Vec::<u8>::with_capacity(90))); //= 0 90 1
            let array = black_box(boxed([7u8; 1024])); //= 1024 1024 1
            std::mem::forget(array);
            std::mem::forget(black_box(kept));
        }
        """;

    // What a line of C allocates: a macro, recursion, a pointer to malloc, functions of the library that allocate.
    private const string CSource = """
        #include <stdlib.h>
        #include <string.h>
        #define MAKE(n) malloc((n) * sizeof(long))

        struct list { struct list *next; };
        static void *kept[64];
        static int count;

        static void keep(void *block) {
            kept[count++] = block;
        }

        static struct list *chain(int length) {
            if (length == 0)
                return NULL;
            struct list *head = calloc(1, 48); //= 144 144 3
            head->next = chain(length - 1); //= 96 96 2
            return head;
        }

        int main(void) {
            keep(chain(3)); //= 144 144 3
            for (int i = 0; i < 4; i++)
                free(MAKE(10)); //= 0 320 4
            keep(strdup("abcdefg")); //= 8 8 1
            void *grown = malloc(10); //= 0 10 1
            grown = realloc(grown, 100); //= 100 100 1
            keep(grown);
            void *(*call)(size_t) = malloc;
            keep(call(33)); //= 33 33 1
            void *aligned = NULL;
            if (posix_memalign(&aligned, 64, 256) == 0) //= 256 256 1
                keep(aligned);
            return 0;
        }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Lines_of_async_methods_iterators_and_lambdas_are_those_the_source_says_and_its_text_is_the_PDBs()
    {
        var source = Path.Combine(Built.Root, "tests/targets/dotnet-lines/Program.cs");
        using var trace = Recording.Run(_folder, ["dotnet", Built.DotNetTarget("dotnet-lines"), Built.Library("allocate")]);
        trace.Outcome.Expect(0);

        var file = File(trace, "/_/dotnet-lines/Program.cs", "--module", "liballocate.so");

        Assert.Equal(Expected(System.IO.File.ReadAllLines(source)), Found(file));
        Assert.Equal(JsonValueKind.Null, file.GetProperty("remark").ValueKind);
        Assert.All(
            file.GetProperty("lines").EnumerateArray(),
            line => Assert.Contains(Marker, line.GetProperty("text").GetString()!, StringComparison.Ordinal)); // embedded
    }

    [Fact]
    public void Lines_of_rust_are_those_the_source_says()
    {
        Tool.Need("rustc");
        var source = _folder.Write("program.rs", RustSource);
        Program.Run(["rustc", "--edition=2021", "-g", "-C", "opt-level=0", "-o", _folder["program"], source]).Expect(0);
        using var trace = Recording.Run(_folder, [_folder["program"]]);
        trace.Outcome.Expect(0);

        Assert.Equal(Expected(RustSource.Split('\n')), Found(File(trace, source)));
    }

    [Fact]
    public void Lines_of_C_are_those_the_source_says()
    {
        var source = _folder.Write("program.c", CSource);
        Program.Run(["gcc", "-g", "-O0", "-o", _folder["program"], source]).Expect(0);
        using var trace = Recording.Run(_folder, [_folder["program"]]);
        trace.Outcome.Expect(0);

        Assert.Equal(Expected(CSource.Split('\n')), Found(File(trace, source)));
    }

    [Theory]
    [InlineData("-gz=none")]
    [InlineData("-gz=zlib")]
    public void A_source_whose_checksum_in_DWARF_is_another_is_noticed(string compression)
    {
        var source = _folder.Write("program.c", "#include <stdlib.h>\nvoid *kept;\nint main(void) { kept = malloc(1000); return 0; }\n");
        Program.Run(["gcc", "-gdwarf-5", "-S", "-o", _folder["plain.s"], source]).Expect(0);

        // GCC leaves the checksum out, the assembler writes it: as a number, so its bytes are given in reverse.
#pragma warning disable CA5351 // DWARF has no other.
        var checksum = Convert.ToHexStringLower([.. System.Security.Cryptography.MD5.HashData(System.IO.File.ReadAllBytes(source)).Reverse()]);
#pragma warning restore CA5351
        var assembly = System.IO.File.ReadAllLines(_folder["plain.s"])
            .Select(line => line.Contains("\t.file ", StringComparison.Ordinal) && line.EndsWith("program.c\"", StringComparison.Ordinal)
                ? $"{line} md5 0x{checksum}"
                : line);
        System.IO.File.WriteAllLines(_folder["program.s"], assembly);
        Program.Run(["gcc", compression, "-o", _folder["program"], _folder["program.s"]]).Expect(0);
        using var trace = Recording.Run(_folder, [_folder["program"]]);
        trace.Outcome.Expect(0);

        System.IO.File.SetLastWriteTimeUtc(source, DateTime.UtcNow.AddDays(1)); // by its time it would be another
        var same = File(trace, source);
        System.IO.File.AppendAllText(source, "// more\n");
        System.IO.File.SetLastWriteTimeUtc(source, DateTime.UtcNow.AddDays(-1));
        var changed = File(trace, source);

        Assert.Equal(JsonValueKind.Null, same.GetProperty("remark").ValueKind);
        Assert.Contains("checksum", changed.GetProperty("remark").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_source_whose_checksum_is_another_is_noticed()
    {
        var source = _folder.Write("app/Program.cs", """
            unsafe { System.Runtime.InteropServices.NativeMemory.Alloc(1234); }
            """);
        _folder.Write("app/app.csproj", """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><AllowUnsafeBlocks>true</AllowUnsafeBlocks>
              </PropertyGroup>
            </Project>
            """);
        Program.Run(["dotnet", "build", _folder["app"], "-v", "quiet", "--disable-build-servers", "-o", _folder["built"]]).Expect(0);
        using var trace = Recording.Run(_folder, ["dotnet", _folder["built/app.dll"]]);
        trace.Outcome.Expect(0);

        var same = File(trace, source);
        System.IO.File.AppendAllText(source, "// more\n");
        System.IO.File.SetLastWriteTimeUtc(source, DateTime.UtcNow.AddDays(-1)); // whatever its time says
        var changed = File(trace, source);

        Assert.Equal(JsonValueKind.Null, same.GetProperty("remark").ValueKind);
        Assert.Contains("checksum", changed.GetProperty("remark").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_source_the_hottest_files_come_first_and_a_source_that_is_gone_is_said_to_be()
    {
        var source = _folder.Write("gone.cpp", "#include <stdlib.h>\nvoid* kept;\nint main() { kept = malloc(1000); return 0; }\n");
        Program.Run(["g++", "-g", "-O0", source, "-o", _folder["program"]]).Expect(0);
        System.IO.File.Delete(source);
        using var trace = Recording.Run(_folder, [_folder["program"]]);
        trace.Outcome.Expect(0);

        var output = Program.Run(["dotnet", Built.Command, "lines", trace.TracePath]).Expect(0).Output;

        Assert.Matches(@"^Hottest of \d+ files?\n +live  lines  file", output);
        Assert.Matches(@"\n  1000 B +1  \S+/gone\.cpp\n", output);
        Assert.Contains("the source is not on this machine", output, StringComparison.Ordinal);
        Assert.Matches(@"\n +3 +1000 B +1000 B +1\n", output);
    }

    [Fact]
    public void A_program_without_debug_information_has_no_lines_and_says_so()
    {
        var source = _folder.Write("plain.c", "#include <stdlib.h>\nvoid* kept;\nint main(void) { kept = malloc(1000); return 0; }\n");
        Program.Run(["gcc", "-O0", "-s", source, "-o", _folder["program"]]).Expect(0);
        using var trace = Recording.Run(_folder, [_folder["program"]]);
        trace.Outcome.Expect(0);

        var outcome = Program.Run(["dotnet", Built.Command, "lines", trace.TracePath, "plain.c"]);

        Assert.Equal("", outcome.Output);
        Assert.Contains(outcome.Said, line => line.Contains("debug information", StringComparison.Ordinal) || line.Contains("plain.c", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Expected(IEnumerable<string> source) => source
        .Select((text, index) => (Line: index + 1, At: text.IndexOf(Marker, StringComparison.Ordinal), Text: text.TrimEnd()))
        .Where(line => line.At >= 0)
        .Select(line => $"{line.Line} {line.Text[(line.At + Marker.Length)..]}");

    private static IEnumerable<string> Found(JsonElement file) => file.GetProperty("lines").EnumerateArray().Select(line =>
        $"{line.GetProperty("line")} {line.GetProperty("live_bytes")} {line.GetProperty("increment_bytes")} {line.GetProperty("occurrences")}");

    private static JsonElement File(Recording trace, string source, params string[] options)
    {
        var output = Program.Run(["dotnet", Built.Command, "lines", trace.TracePath, source, "--json", .. options]).Expect(0).Output;
        return Assert.Single(JsonDocument.Parse(output).RootElement.GetProperty("files").EnumerateArray());
    }
}
