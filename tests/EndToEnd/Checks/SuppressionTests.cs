using System.Text.Json;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>Leaks that are known: files of LeakSanitizer and of valgrind, and what the check itself suggests.</summary>
public sealed class SuppressionTests : IDisposable
{
    private static readonly string[] Lose = [Built.Target("lose"), "return"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_hangs_off_a_known_leak_goes_with_it_and_a_table_says_so()
    {
        var file = _folder.Write("known.supp", "leak:^lose$\nleak:never\n");
        var run = CheckRun.Run(_folder, Lose, null, "--suppressions", file);

        run.Outcome.Expect(3);
        Assert.Equal(default, run.Check.Sum("definite"));
        Assert.Equal(default, run.Check.Sum("indirect"));
        Assert.Equal((150, 2), run.Check.Sum("suppressed"));
        Assert.Equal([("^lose$", 150L, 2L)], run.Check.SuppressionsUsed);
        Assert.Equal(
            ["Suppressions used:", "  count      bytes template", $"      2        150 ^lose$  ({file}:1)"],
            run.Outcome.Said.SkipWhile(line => !line.StartsWith("Supp", StringComparison.Ordinal)).Take(3));
        Assert.StartsWith("no leaks ", run.Outcome.Said[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_suppression_that_means_more_than_its_maximum_does_not_count()
    {
        var file = _folder.Write("known.supp", "# max-blocks: 1\nleak:lose\n# max-blocks: 2\nleak:lose.c\n");
        var run = CheckRun.Run(_folder, Lose, null, "--suppressions", file);

        run.Outcome.Expect(3);
        Assert.Equal([("lose.c", 150L, 2L)], run.Check.SuppressionsUsed);
        Assert.Contains(
            $"suppression 'lose' ({file}:2) was not used: 150 bytes in 2 blocks match, more than its maximum of 1 blocks",
            run.Check.Notes, StringComparison.Ordinal);
    }

    // "lose" is what main calls; its leak comes first, for it is the largest that is lost.
    [Theory]
    [InlineData(100)]
    [InlineData(10, "--suppressions", "known.supp")]
    public void Refs_numbers_leaks_as_the_check_did_that_was_given_the_same(long bytes, params string[] suppressed)
    {
        _folder.Write("known.supp", "{\n   known\n   Memcheck:Leak\n   fun:calloc\n   fun:lose\n   ...\n}\n"); // the module is called so, too
        var trace = _folder["trace.nheap"];
        string[] given = [.. suppressed.Select(word => word.EndsWith(".supp", StringComparison.Ordinal) ? _folder[word] : word)];
        string[] options = ["-o", trace, "--level", "draconian", .. given];
        var run = CheckRun.Run(_folder, [Built.Target("lose"), "_exit"], null, options);
        Assert.Equal(bytes, run.Check.Address(1).Bytes);

        var refs = JsonDocument.Parse(
            Program.Run(["dotnet", Built.Command, "refs", trace, "--leak", "1", "--json", .. given]).Expect(0).Output);
        Assert.Equal(run.Check.Address(1).Address, refs.RootElement.GetProperty("target").GetProperty("address").GetString());
    }

    [Fact]
    public void A_bad_file_is_refused_with_its_line_before_anything_is_started()
    {
        var file = _folder.Write("bad.supp", "leak:fine\n{\n name\n Memcheck:Leak\n nonsense\n}\n");
        var run = CheckRun.Run(_folder, ["touch", _folder["started"]], null, "--suppressions", file);

        run.Outcome.Expect(2);
        Assert.Equal($"error: {file}:5: a frame is fun:NAME, obj:PATH, src:FILE[:LINE] or ...", Assert.Single(run.Outcome.Said));
        Assert.False(File.Exists(_folder["started"]));
    }

    // C++: valgrind writes linkage names, and its stacks begin with operator new.
    [Fact]
    public void What_valgrind_or_the_check_itself_suggests_is_read_by_both()
    {
        Tool.Need("valgrind");
        var program = Tool.CompileCpp(_folder, "lose", """
            #include <string>
            namespace shop { struct Order { std::string name; Order *next; }; 
            template <typename T> __attribute__((noinline)) void lose(T) { auto *order = new Order{std::string(100, 'x'), nullptr}; asm volatile("" : : "r"(order)); } }
            __attribute__((noinline)) static void overwrite() { volatile char dead[16384]; for (auto &c : dead) c = 0; }
            int main() { shop::lose(1); shop::lose("a"); overwrite(); }
            """, "-g", "-O0");
        var (_, _, said) = Tool.TryRun("valgrind", "--leak-check=full", "--gen-suppressions=all", "--error-exitcode=9", program);
        var valgrinds = _folder.Write("valgrind.supp", string.Join('\n', said.Split('\n').Where(line => !line.StartsWith("==", StringComparison.Ordinal))));
        var ours = _folder["ours.supp"];

        var before = CheckRun.Run(_folder, [program], null, "--gen-suppressions", ours);
        before.Outcome.Expect(23);
        Assert.Equal(2, before.Check.Sum("definite").Blocks);

        Assert.Contains("fun:_ZN4shop4loseIiEEvT_", File.ReadAllText(ours), StringComparison.Ordinal);
        CheckRun.Run(_folder, [program], null, "--suppressions", valgrinds).Outcome.Expect(0);
        CheckRun.Run(_folder, [program], null, "--suppressions", ours).Outcome.Expect(0);
        Assert.Equal(0, Tool.TryRun(
            "valgrind", "--leak-check=full", "--error-exitcode=9", "--suppressions=" + ours, "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", program).ExitCode);
    }
}
