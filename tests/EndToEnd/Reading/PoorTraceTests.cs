using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd.Reading;

/// <summary>Every reading verb on traces that lack something: the answer says what is missing or only estimated.</summary>
public sealed class PoorTraceTests : IDisposable, IClassFixture<PoorTraceTests.Recorded>
{
    private readonly TempFolder _folder = new();
    private readonly string _trace;

    public PoorTraceTests(Recorded recorded)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        _trace = _folder["trace.nheap"];
        File.Copy(recorded.Path, _trace);
    }

    public sealed class Recorded : IDisposable
    {
        private readonly TempFolder _folder = new();

        public Recorded()
        {
            var trace = Recording.Run(_folder, [Built.Target("line_by_line"), "3"]);
            trace.Outcome.Expect(0);
            Path = trace.TracePath;
        }

        internal string Path { get; }

        public void Dispose() => _folder.Dispose();
    }

    public static TheoryData<string[]> Verbs { get; } =
    [
        new[] { "report", "TRACE" }, new[] { "report", "TRACE", "--view", "functions" }, new[] { "report", "TRACE", "--view", "bottom-up" },
        new[] { "report", "TRACE", "--view", "threads" }, new[] { "diff", "TRACE", "TRACE@peak" }, new[] { "lines", "TRACE" },
        new[] { "plot", "TRACE", "-o", "OUT.svg" }, new[] { "plot", "TRACE", "--kind", "sizes", "-o", "OUT.svg" },
        new[] { "plot", "TRACE", "--kind", "live", "-o", "OUT.svg" }, new[] { "plot", "TRACE", "--kind", "flame", "-o", "OUT.svg" },
        new[] { "plot", "TRACE", "TRACE", "--kind", "flame-diff", "-o", "OUT.svg" }, new[] { "sql", "TRACE", "SELECT pid FROM process" },
        new[] { "export", "TRACE", "--format", "pprof", "-o", "OUT" }, new[] { "export", "TRACE", "--format", "gperftools", "-o", "OUT" },
        new[] { "export", "TRACE", "--format", "parquet", "-o", "OUT" },
    ];

    /// <summary>One of each way of reading a trace.</summary>
    public static TheoryData<string[]> FewVerbs { get; } =
    [
        new[] { "report", "TRACE" }, new[] { "lines", "TRACE" }, new[] { "plot", "TRACE", "-o", "OUT.svg" },
        new[] { "export", "TRACE", "--format", "otlp", "-o", "OUT" }, new[] { "export", "TRACE", "--format", "parquet", "-o", "OUT" },
        new[] { "sql", "TRACE", "SELECT pid FROM process" },
    ];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Figures_of_a_sampled_run_are_marked_as_estimates(string[] words)
    {
        Database.Change(_trace, "UPDATE meta SET value = 0 WHERE key = 'exact'; UPDATE meta SET value = 4096 WHERE key = 'sample_bytes'");
        var outcome = Run(words).Expect(0);
        var picture = _folder["out.svg"];
        var all = outcome.Output + outcome.Errors + (File.Exists(picture) ? File.ReadAllText(picture) : "");

        Assert.Contains("ESTIMATE", all.ToUpperInvariant(), StringComparison.Ordinal);
        Assert.All(HeapFigures(outcome.Output), line => Assert.Contains("~", line, StringComparison.Ordinal));
        Assert.Equal(words[0] is "report" or "diff" or "lines", HeapFigures(outcome.Output).Any());
    }

    // Lines with figures of the heap: not the title, which tells the rate of sampling, and not resident memory, which is known.
    private static IEnumerable<string> HeapFigures(string output) => output.Split("\n\n")
        .Where(part => !part.Contains("ESTIMATES", StringComparison.Ordinal) && !part.StartsWith("Resident memory", StringComparison.Ordinal))
        .SelectMany(part => part.Split('\n'))
        .Where(line => Regex.IsMatch(line, @"[1-9][0-9.]* (B|KiB|MiB)\b"));

    [Theory]
    [MemberData(nameof(FewVerbs))]
    public void A_trace_without_names_is_answered_with_modules_and_offsets_or_with_names_found_now(string[] words)
    {
        Database.Change(_trace, "DELETE FROM frame; DELETE FROM string; DELETE FROM meta WHERE key IN ('end_ns', 'complete')");
        var outcome = Run(words).Expect(0);

        Assert.Equal("", outcome.OwnErrors);
    }

    [Theory]
    [MemberData(nameof(FewVerbs))]
    public void A_trace_that_was_cut_short_is_refused_in_one_line_and_leaves_nothing(string[] words)
    {
        var bytes = File.ReadAllBytes(_trace);
        File.WriteAllBytes(_trace, bytes[..(bytes.Length / 2)]);
        var outcome = Run(words).Expect(4);

        Assert.Equal("", outcome.Output);
        Assert.Single(outcome.Said, line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.False(File.Exists(_folder["out.svg"]) || File.Exists(_folder["out"]));
    }

    private Outcome Run(string[] words) => Program.Run(
    [
        "dotnet", Built.Command,
        .. words.Select(word => word.Replace("TRACE", _trace, StringComparison.Ordinal).Replace("OUT", _folder["out"], StringComparison.Ordinal)),
    ]);
}
