using System.Diagnostics;
using NativeHeap.Testing;

namespace NativeHeap.Symbols.Tests;

/// <summary>A tool may break down, hang, lie or be missing: what another knows is still told, and nothing wrong.</summary>
public sealed class ToolFailureTests : IDisposable
{
    private const string Source = """
        __attribute__((noinline)) static int inner(int n) { mark("inner"); return n; }
        int main(int n, char **v) { return inner(n) == 0; }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("exit 1", "a tool that ends at once")]
    [InlineData("cat >/dev/null", "a tool that ends without an answer")]
    [InlineData("cat", "a tool that says nothing but its input")]
    [InlineData("yes '{}'", "a tool that answers without being asked")]
    [InlineData("yes '0x1\nlie\na.c:1:1\n'", "a tool that answers other questions")]
    [InlineData("while read -r file address; do printf '%s\n' $address inner program.c; done", "a tool whose answers have no end")]
    [InlineData("while read -r file address; do printf '%s\n' $address inner program.c:1 ''; done", "a tool that leaves columns out")]
    [InlineData("while read -r file address; do printf '%s\n' ${address}0 inner program.c:1:1 ''; done", "a tool that misreads addresses")]
    [InlineData("tr '\\n' ' ' </dev/zero", "a tool whose line has no end")]
    [InlineData("kill -SEGV $$", "a tool that crashes")]
    public void A_tool_that_does_not_work_is_given_up_and_the_next_one_asked(string script, string tool)
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        using var symbolizer = With(Script("llvm-symbolizer", script), SymbolTools.Find().Addr2Line);

        Assert.Equal([$"inner program.c:{program.Line("inner")}"], symbolizer.Resolve(program["inner"]).Shown());
        Assert.True(symbolizer.Notes.Count == 1, $"{tool}: {string.Join('|', symbolizer.Notes)}");
        Assert.StartsWith("llvm-symbolizer broke down at " + program.Path, symbolizer.Notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_tool_that_says_nothing_is_killed_after_the_time_it_is_given()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        using var symbolizer = With(
            Script("llvm-symbolizer", "echo $$ >>" + _folder["pids"] + "; exec sleep 600"), SymbolTools.Find().Addr2Line);

        Assert.Equal("inner", Assert.Single(symbolizer.Resolve(program["inner"])).Function);
        Assert.All(File.ReadLines(_folder["pids"]), pid => Assert.False(IsAlive(pid), "a stuck child was left behind"));
    }

    [Fact]
    public void Work_that_takes_too_long_altogether_ends_with_names_alone()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        var options = Options(Script("llvm-symbolizer", "exec sleep 600"), null) with
        {
            Patience = TimeSpan.FromMinutes(9),
            TimeLimit = TimeSpan.FromMilliseconds(300),
        };
        using var symbolizer = new NativeSymbolizer(options);

        Assert.Equal(["inner :"], symbolizer.Resolve(program["inner"]).Shown());
        Assert.Contains("took longer than", Assert.Single(symbolizer.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelling_ends_the_work_and_the_child()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        Tool.Run("mkfifo", _folder["started"]);
        var script = $"echo $$ >{_folder["started"]}; exec sleep 600";
        var options = Options(Script("llvm-symbolizer", script), null) with { Patience = TimeSpan.FromMinutes(9) };
        using var symbolizer = new NativeSymbolizer(options);
        using var cancellation = new CancellationTokenSource();
        var work = Task.Run(() => symbolizer.Resolve([program["inner"]], cancellation.Token), CancellationToken.None);
        var pid = File.ReadLines(_folder["started"]).First();

        cancellation.Cancel();

        Assert.Throws<OperationCanceledException>(() => work.GetAwaiter().GetResult());
        Assert.False(IsAlive(pid));
    }

    [Fact]
    public void A_crash_at_one_binary_leaves_the_others_their_lines()
    {
        var llvm = SymbolTools.Find().LlvmSymbolizer;
        Assert.SkipWhen(llvm is null, "llvm-symbolizer is not installed");
        MarkedProgram[] programs =
        [
            MarkedProgram.C(_folder, "a-good", Source),
            MarkedProgram.C(_folder, "b-bad", Source),
            MarkedProgram.C(_folder, "c-good", Source),
        ];

        // Asks the real one line by line, and dies of one binary.
        var script = $$"""
            while read -r line; do
                case $line in *b-bad*) kill -SEGV $$ ;; esac
                echo "$line" | {{llvm}} "$@"
            done
            """;
        using var symbolizer = With(Script("llvm-symbolizer", script), null);

        var results = symbolizer.ResolveAll([.. programs.Select(program => program["inner"])]);

        var line = programs[0].Line("inner");
        Assert.Equal(
            [$"inner a-good.c:{line}", "inner :", $"inner c-good.c:{line}"],
            results.Select(frames => Assert.Single(frames.Shown())));
        Assert.Equal([$"llvm-symbolizer broke down at {programs[1].Path}"], symbolizer.Notes);
    }

    [Fact]
    public void A_tool_that_breaks_down_once_is_asked_again()
    {
        var llvm = SymbolTools.Find().LlvmSymbolizer;
        Assert.SkipWhen(llvm is null, "llvm-symbolizer is not installed");
        var program = MarkedProgram.C(_folder, "program", Source);
        using var symbolizer = With(
            Script("llvm-symbolizer", $"mkdir {_folder["first"]} && exit 1; exec {llvm} \"$@\""), null);

        Assert.Equal([$"inner program.c:{program.Line("inner")}"], symbolizer.Resolve(program["inner"]).Shown());
        Assert.Empty(symbolizer.Notes);
    }

    [Theory]
    [InlineData("exit 1")]
    [InlineData("echo 0x0000000000000000; echo lie; echo lie.c:1")]
    [InlineData("while read a; do printf '0x%s\\ninner\\n' $a; done")]
    public void Without_a_working_addr2line_symbol_tables_name_the_functions(string script)
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        using var symbolizer = With(null, Script("addr2line", script));

        Assert.Equal(["inner :"], symbolizer.Resolve(program["inner"]).Shown());
        Assert.Equal([$"addr2line broke down at {program.Path}"], symbolizer.Notes);
    }

    [Fact]
    public void A_name_that_kills_the_demangler_stays_mangled_and_the_others_do_not()
    {
        var found = SymbolTools.Find().Demangler;
        Assert.SkipWhen(found is null, "c++filt is not installed");
        var program = MarkedProgram.Cpp(_folder, "program", """
            __attribute__((noinline)) int good(int n) { mark("good"); return n + 1; }
            __attribute__((noinline)) int bad(int n) { mark("bad"); return n + 2; }
            __attribute__((noinline)) int fine(long n) { mark("fine"); return n + 3; }
            int main(int n, char **) { return good(n) + bad(n) + fine(n) == 0; }
            """);
        var script = $"while read -r name; do case $name in *bad*) exit 1 ;; esac; echo \"$name\" | {found}; done";
        using var symbolizer = new NativeSymbolizer(new SymbolizerOptions
        {
            Tools = new SymbolTools(null, null, Script("c++filt", script)),
        });

        var results = symbolizer.ResolveAll([program["good"], program["bad"], program["fine"]]);

        Assert.Equal(["good(int)", "_Z3badi", "fine(long)"], results.Select(frames => Assert.Single(frames).Function));
        Assert.Contains("broke down: some names stay mangled", Assert.Single(symbolizer.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Tools_see_nothing_of_a_profiled_environment_and_do_not_die_of_an_interrupt()
    {
        var program = MarkedProgram.C(_folder, "program", Source);
        Environment.SetEnvironmentVariable("NATIVEHEAP_SOCKET", "/nowhere");
        Environment.SetEnvironmentVariable("LLVM_SYMBOLIZER_OPTS", "--basenames");
        Environment.SetEnvironmentVariable("LD_PRELOAD", "libc.so.6"); // there already: it changes nothing
        try
        {
            using var symbolizer = With(
                null, Script("addr2line", $"kill -INT $$; env >{_folder["seen"]}; exec {SymbolTools.Find().Addr2Line} \"$@\""));

            Assert.Equal("program.c", Path.GetFileName(Assert.Single(symbolizer.Resolve(program["inner"])).File));
        }
        finally
        {
            Environment.SetEnvironmentVariable("LD_PRELOAD", null);
            Environment.SetEnvironmentVariable("LLVM_SYMBOLIZER_OPTS", null);
            Environment.SetEnvironmentVariable("NATIVEHEAP_SOCKET", null);
        }

        Assert.DoesNotMatch("(?m)^(NATIVEHEAP|LD_PRELOAD|LLVM_SYMB)", File.ReadAllText(_folder["seen"]));
    }

    private string Script(string name, string text)
    {
        var path = _folder.Write("tools/" + name, "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return path;
    }

    private static NativeSymbolizer With(string? llvm, string? addr2line) => new(Options(llvm, addr2line));

    private static SymbolizerOptions Options(string? llvm, string? addr2line) => new()
    {
        Tools = new SymbolTools(llvm, addr2line, SymbolTools.Find().Demangler),
        DebugFolders = [],
        CacheFolders = [],
        Patience = TimeSpan.FromSeconds(3),
    };

    private static bool IsAlive(string pid)
    {
        try
        {
            using var process = Process.GetProcessById(int.Parse(pid, System.Globalization.CultureInfo.InvariantCulture));
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
