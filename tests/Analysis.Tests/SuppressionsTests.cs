using System.Text;
using CsCheck;
using NativeHeap.Analysis.Suppressions;
using NativeHeap.Graph;
using NativeHeap.Model;

namespace NativeHeap.Analysis.Tests;

/// <summary>What a suppression means, and which files are none.</summary>
public sealed class SuppressionsTests
{
    private static readonly Binary s_server = new("/srv/bin/server", null);
    private static readonly Binary s_library = new("/usr/lib/libz.so.1", null);

    // malloc < operator new < Pool::grow(unsigned long) < (nameless, libz) < OrderDesk.Sell < main
    private static readonly CallStack s_stack = new(
        EntryPoint.Malloc,
        [
            Frame(s_library, FrameKind.Native, "operator new(unsigned long)"),
            Frame(s_server, FrameKind.Native, "Pool::grow(unsigned long, char*)", "/src/pool.cc", 40),
            Frame(s_library, FrameKind.Native, null),
            Frame(null, FrameKind.Managed, "Shop.OrderDesk.Sell(int)"),
            Frame(s_server, FrameKind.Native, "main", "/src/main.cc", 7),
        ]);

    [Theory]
    [InlineData("Pool::grow", true)]
    [InlineData("grow(unsigned long", true)]
    [InlineData("^grow", false)]
    [InlineData("^Pool", true)]
    [InlineData("Pool$", false)]
    [InlineData("^main$", true)]
    [InlineData("^mai$", false)]
    [InlineData("P*l::g*w", true)]
    [InlineData("P*l::g*x", false)]
    [InlineData("libz.so", true)]
    [InlineData("libz.so.1$", true)]
    [InlineData("libz.so$", false)]
    [InlineData("pool.cc", true)]
    [InlineData("OrderDesk.Sell", true)]
    [InlineData("*", true)]
    [InlineData("pool::grow", false)]
    [InlineData("P?ol", false)]
    public void A_line_is_found_in_function_file_or_module_of_any_frame(string pattern, bool means) =>
        Assert.Equal(means, Means($"leak:{pattern}"));

    [Theory]
    [InlineData("fun:malloc", true)]
    [InlineData("fun:main", false)] // the innermost frames count
    [InlineData("...|fun:main", true)]
    [InlineData("fun:operator new*|fun:Pool::grow", true)] // valgrind's stack begins with operator new
    [InlineData("fun:malloc|fun:operator new*|fun:Pool::grow(*)", true)]
    [InlineData("fun:malloc|fun:Pool::grow", false)]
    [InlineData("...|fun:Pool::grow|obj:/usr/lib/libz.so.?", true)]
    [InlineData("...|fun:Pool::grow|obj:*/libz.so.?|fun:Shop.OrderDesk.Sell|...|fun:main", true)]
    [InlineData("...|fun:Pool::grow|...|fun:Pool::grow", false)]
    [InlineData("...|fun:Shop.OrderDesk.*|fun:ma?n", true)]
    [InlineData("...|src:pool.cc", true)]
    [InlineData("...|src:pool.cc:40", true)]
    [InlineData("...|src:pool.cc:41", false)]
    [InlineData("...|src:/src/m*.cc:7", true)]
    [InlineData("...|fun:nobody|...", false)]
    [InlineData("...", true)]
    [InlineData("...|fun:main|fun:*", false)] // nothing stands outside of main
    [InlineData("...|fun:main|...", true)]
    public void A_block_means_the_innermost_frames(string frames, bool means) =>
        Assert.Equal(means, Means("{\nname\nMemcheck:Leak\n" + frames.Replace('|', '\n') + "\n}"));

    [Theory]
    [InlineData("definite", LeakKind.Definite, true)]
    [InlineData("definite", LeakKind.Possible, false)]
    [InlineData("possible,reachable", LeakKind.Reachable, true)]
    [InlineData("all", LeakKind.Indirect, true)]
    [InlineData("none", LeakKind.Definite, false)]
    public void A_block_may_be_for_some_kinds_of_leaks(string kinds, LeakKind kind, bool means) => Assert.Equal(
        means, Means("{\nname\nMemcheck,Other:Leak\nmatch-leak-kinds: " + kinds + "\n...\n}", kind));

    [Fact]
    public void A_line_means_no_blocks_that_are_held() => Assert.False(Means("leak:*", LeakKind.Reachable));

    [Fact]
    public void Both_forms_comments_and_errors_of_other_tools_may_stand_in_one_file()
    {
        var entries = LeakSuppressions.Parse(
            "# LeakSanitizer\r\n  leak:one  \r\n\n{\n other kind\nMemcheck:Param\nwrite(buf)\nfun:f\n}\n"
            + "{\n race\nHelgrind:Race\nfun:f\n}\n# max-blocks: 3\n{\n two\n# max-bytes: 40\nMemcheck:Leak\nfun:f\n}\nleak:three\n",
            "my.supp").Entries;

        Assert.Equal(
            [("one", "my.supp:2", null, null), ("two", "my.supp:16", 3, 40), ("three", "my.supp:22", (long?)null, (long?)null)],
            entries.Select(entry => (entry.Pattern, entry.Source, entry.MostBlocks, entry.MostBytes)));
    }

    [Fact]
    public void Lines_of_a_report_may_be_pasted_as_they_are() => Assert.Equal(
        "two",
        Assert.Single(LeakSuppressions.Parse("nativeheap: {\nnativeheap:    two\nnativeheap:    Memcheck:Leak\nnativeheap:    ...\nnativeheap: }\n", "").Entries).Pattern);

    [Theory]
    [InlineData("leak:a\nrace:b\n", "2: neither leak:PATTERN nor the { of a valgrind suppression")]
    [InlineData("leak:\n", "1: there is no pattern after leak: (leak:* stands for everything)")]
    [InlineData("\nleak:^$", "2: there is no pattern after leak: (leak:* stands for everything)")]
    [InlineData("{\nname\nMemcheck:Leak\nfun:f\n", "5: the } of the last suppression is missing")]
    [InlineData("{\n}\n", "3: the } of the last suppression is missing")]
    [InlineData("{\nname\nLeak\nfun:f\n}", "3: a suppression has a name, then a line such as Memcheck:Leak")]
    [InlineData("{\nname\nMemcheck:Leak\n}", "4: the suppression has no frames")]
    [InlineData("{\nname\nMemcheck:Leak\nfunction:f\n}", "4: a frame is fun:NAME, obj:PATH, src:FILE[:LINE] or ...")]
    [InlineData("{\nname\nMemcheck:Leak\nfun:\n}", "4: a frame is fun:NAME, obj:PATH, src:FILE[:LINE] or ...")]
    [InlineData("{\nname\nMemcheck:Leak\nmatch-leak-kinds: lost\nfun:f\n}", "4: match-leak-kinds: is a list of definite, indirect, possible, reachable, or all")]
    [InlineData("# max-blocks: many\nleak:a", "1: a maximum is a whole number")]
    [InlineData("# max-bytes: -1\nleak:a", "1: a maximum is a whole number")]
    [InlineData("# max-bytes: 1\n", "2: no suppression follows the maximum")]
    public void What_is_wrong_is_said_with_its_line(string text, string problem)
    {
        var error = Assert.Throws<ToolException>(() => LeakSuppressions.Parse(text, "my.supp"));
        Assert.Equal((ExitCodes.Usage, "my.supp:" + problem), (error.ExitCode, error.Message));
    }

    [Theory]
    [InlineData("leak:a\nrace:b\nleak:c\n", "a c", "2")]
    [InlineData("{\nname\nMemcheck:Leak\n}\nleak:a\n", "a", "4")]
    [InlineData("{\nname\nMemcheck:Leak\nfun:\nfun:f\n}\nleak:a\n", "a", "4")]
    [InlineData("leak:a\n{\nname\nMemcheck:Leak\nfun:f\n", "a", "6")]
    [InlineData("# max-blocks: many\nleak:a\n# max-bytes: 1\n", "a", "1 4")]
    [InlineData("\0\u0001{\n\nleak:a", "a", "1")]
    public void Of_what_a_program_says_bad_lines_are_passed_over_and_noted(string text, string patterns, string lines)
    {
        var read = LeakSuppressions.OfProgram(text, "its own");

        Assert.Equal(patterns, string.Join(' ', read.Entries.Select(entry => entry.Pattern)));
        Assert.Equal(lines, string.Join(' ', read.Notes.Select(note => note.Split(':')[1])));
    }

    [Fact]
    public void Of_what_a_program_says_the_beginning_counts_and_a_few_bad_lines_are_told()
    {
        var read = LeakSuppressions.OfProgram("leak:a\n" + string.Concat(Enumerable.Repeat("bad\n", 30_000)) + "leak:b\n", "its own");

        Assert.Equal("a", Assert.Single(read.Entries).Pattern);
        Assert.Equal("its own: longer than 65536 bytes, the rest was not read", read.Notes[0]);
        Assert.Equal("its own: 16373 more lines are bad", read.Notes[^1]);
        Assert.Equal(11, read.Notes.Count);
    }

    [Fact]
    public void Whatever_is_written_is_understood_and_means_its_leak()
    {
        using var writer = new SuppressionWriter();
        var output = new StringWriter();
        writer.Write(output, new Leak(1, LeakKind.Definite, new LeakSum(8, 1), default, 0x1000, null, [], s_stack));

        Assert.Equal(
            "{\n   leak of Pool::grow(unsigned long, char*)\n   Memcheck:Leak\n   match-leak-kinds: definite\n"
            + "   fun:operator new(unsigned long)\n   fun:Pool::grow(unsigned long, char*)\n   obj:/usr/lib/libz.so.1\n"
            + "   fun:Shop.OrderDesk.Sell(int)\n   fun:main\n}\n",
            output.ToString());
        Assert.True(Means(output.ToString()));
        Assert.False(Means(output.ToString(), LeakKind.Possible));
    }

    [Fact]
    public void Any_text_is_read_or_refused_with_a_line_and_patterns_take_no_exponential_time()
    {
        string[] words =
        [
            "{", "}", "\n", "leak:", "Memcheck:Leak", "match-leak-kinds:", "definite", "fun:", "obj:", "src:", "...", "*", "?",
            "^", "$", "# max-blocks:", " ", "a", ":", "7", "\0", "\ud800", "nativeheap: ", "main", "\r",
        ];
        var read = 0;
        var refused = 0;
        Gen.OneOf(Gen.Int[0, words.Length - 1].Select(i => words[i]), Gen.Const("\n")).Array[0, 6].Select(parts => "{\nname\nMemcheck:Leak\n...\n}\nleak:" + string.Concat(parts)).Sample(
            text =>
            {
                _ = LeakSuppressions.OfProgram(text, "f");
                try
                {
                    foreach (var entry in LeakSuppressions.Parse(text, "f").Entries)
                    {
                        entry.Matches(new NamedStack(s_stack, null), LeakKind.Definite);
                        read++;
                    }
                }
                catch (ToolException error)
                {
                    Assert.Matches("^f:[0-9]+: ", error.Message);
                    refused++;
                }
            },
            iter: 20_000,
            threads: 1);
        Assert.True(read > 1000 && refused > 1000, $"{read} read, {refused} refused");

        var stars = new StringBuilder().Insert(0, "*a", 2000).Append('b').ToString();
        Assert.False(Wildcards.Match(stars, new string('a', 4000), hasSingle: true));
    }

    private static bool Means(string text, LeakKind kind = LeakKind.Definite) =>
        Assert.Single(LeakSuppressions.Parse(text, "").Entries).Matches(new NamedStack(s_stack, null), kind);

    private static Frame Frame(Binary? module, FrameKind kind, string? function, string? file = null, int? line = null) => new(
        new Location(module, 0x1234, kind),
        function is null ? null : new ResolvedFrame(function, file, line, false));
}
