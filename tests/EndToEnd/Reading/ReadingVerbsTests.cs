using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;

namespace NativeHeap.EndToEnd.Reading;

/// <summary>diff, lines, export and sql on the trace of a program that says of each of its lines what it allocates.</summary>
public sealed class ReadingVerbsTests : IDisposable
{
    private const string Marker = "//= ";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Lines_are_those_the_source_says_itself()
    {
        using var trace = Record("3");
        var expected = File.ReadAllLines(Source)
            .Select((text, index) => (Line: index + 1, At: text.IndexOf(Marker, StringComparison.Ordinal), Text: text))
            .Where(line => line.At >= 0)
            .Select(line => $"{line.Line} {line.Text[(line.At + Marker.Length)..]}");

        var file = Assert.Single(Ask(trace, "lines", "tests/targets/line_by_line.cpp").GetProperty("files").EnumerateArray());
        var lines = file.GetProperty("lines").EnumerateArray().ToList();

        Assert.Equal(Source, file.GetProperty("file").GetString());
        Assert.Equal(expected, lines.Select(line =>
            $"{line.GetProperty("line")} {line.GetProperty("live_bytes")} {line.GetProperty("increment_bytes")} {line.GetProperty("occurrences")}"));
        Assert.All(lines, line => Assert.Contains(Marker, line.GetProperty("text").GetString()!, StringComparison.Ordinal));
        Assert.Equal(JsonValueKind.Null, file.GetProperty("remark").ValueKind);
    }

    [Fact]
    public void A_source_that_is_newer_than_the_program_is_noticed()
    {
        var copy = _folder.Write("line_by_line.cpp", File.ReadAllText(Source));
        Program.Run(["g++", "-g", "-O1", "-fno-builtin", copy, "-o", _folder["program"]]).Expect(0);
        using var trace = Recording.Run(_folder, [_folder["program"], "3"]);
        trace.Outcome.Expect(0);
        File.SetLastWriteTimeUtc(copy, DateTime.UtcNow.AddHours(1));

        var file = Assert.Single(Ask(trace, "lines", copy).GetProperty("files").EnumerateArray());

        Assert.Contains("changed", file.GetProperty("remark").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_diff_of_two_runs_is_what_one_did_more()
    {
        using var before = Record("3");
        using var after = Record("8");
        var diff = Ask(before, "diff", after.TracePath);

        Assert.Equal("nativeheap.diff/1", diff.GetProperty("schema").GetString());
        var stack = Assert.Single(diff.GetProperty("stacks").EnumerateArray());
        Assert.Equal((500, 5), Delta(stack));
        Assert.Equal((200, 700), (stack.GetProperty("bytes_before").GetInt64(), stack.GetProperty("bytes_after").GetInt64()));
        Assert.Equal("main", stack.GetProperty("frames")[0].GetProperty("function").GetString());
        var functions = Ask(before, "diff", after.TracePath, "--group", "function").GetProperty("functions").EnumerateArray().ToList();
        Assert.Equal((500, 5), Delta(functions.Single(function => function.GetProperty("name").GetString() == "main")));
        Assert.DoesNotContain(functions, function => function.GetProperty("name").GetString()!.StartsWith("recursive", StringComparison.Ordinal));
        Assert.Equal((-500, -5), Delta(Assert.Single(Ask(after, "diff", before.TracePath).GetProperty("stacks").EnumerateArray())));
    }

    [Fact]
    public void A_diff_of_a_trace_with_itself_is_empty()
    {
        using var trace = Record("3");
        var diff = Ask(trace, "diff", trace.TracePath + "@end");

        Assert.Equal(0, diff.GetProperty("change_count").GetInt32());
        Assert.Empty(diff.GetProperty("stacks").EnumerateArray());
        Assert.Equal(trace.Report.Totals.Sums.LiveBytes, diff.GetProperty("sum").GetProperty("bytes_after").GetInt64());
    }

    [Fact]
    public void Functions_cost_what_they_call_and_what_they_allocate_themselves()
    {
        using var trace = Record("3");
        var functions = Ask(trace, "report", "--view", "functions").GetProperty("functions").EnumerateArray()
            .ToDictionary(
                function => function.GetProperty("name").GetString()!,
                function => (function.GetProperty("bytes").GetInt64(), function.GetProperty("self_bytes").GetInt64()));

        // malloc(100) twice and realloc to 500 are main's own.
        Assert.Equal((trace.Report.Totals.Sums.LiveBytes, 700), functions["main"]);
        Assert.Equal((320, 320), functions["recursive(int)"]);
        Assert.Equal((300, 300), functions["twice"]);
    }

    [Fact]
    public void Call_trees_hold_all_from_either_end()
    {
        using var trace = Record("3");
        var down = Tree(trace, "top-down");
        var up = Tree(trace, "bottom-up");

        Assert.Equal("1.8 KiB 100.0 % 13 _start", down[0]);
        Assert.Contains("320 B 17.0 % 5 recursive(int)", down);
        Assert.Contains("480 B 25.6 % 2 calloc", up);
        Assert.Contains("400 B 21.3 % 1 double* made<double>(int)", up);
    }

    [Fact]
    public void Boxes_of_a_flame_graph_are_as_wide_as_what_they_cost_and_stand_on_their_callers()
    {
        using var trace = Record("3");
        var file = _folder["flame.svg"];
        Verb("plot", trace.TracePath, "--kind", "flame", "-o", file).Expect(0);
        XNamespace svg = "http://www.w3.org/2000/svg";
        var boxes = XDocument.Load(file).Descendants(svg + "g").Where(group => group.Attribute("data-n") is not null)
            .Select(group => (Name: group.Attribute("data-n")!.Value, Hint: group.Element(svg + "title")!.Value, Rect: group.Element(svg + "rect")!))
            .Select(box => (box.Name, box.Hint, X: Attribute(box.Rect, "x"), Y: Attribute(box.Rect, "y"), Width: Attribute(box.Rect, "width")))
            .ToList();
        var whole = boxes[0];
        var made = boxes.Single(box => box.Name == "double* made<double>(int)");

        Assert.EndsWith("1.8 KiB in 13 blocks, 100.0 %", whole.Hint, StringComparison.Ordinal);
        Assert.Equal("double* made<double>(int)\n400 B in 1 block, 21.3 %", made.Hint);
        Assert.InRange(made.Width / whole.Width, (400.0 / 1877) - 0.001, (400.0 / 1877) + 0.001);
        Assert.All(boxes.Skip(1), box => Assert.Contains(boxes, caller =>
            caller.Y == box.Y + 18 && caller.X <= box.X + 0.1 && caller.X + caller.Width >= box.X + box.Width - 0.6));

        static double Attribute(XElement element, string name) => double.Parse(element.Attribute(name)!.Value, CultureInfo.InvariantCulture);
    }

    [Fact]
    public void A_query_gives_a_table_csv_or_json()
    {
        using var trace = Record("3");
        const string Sql = "SELECT 'a,\"b' AS word, allocations, NULL FROM process";
        var allocations = trace.Report.Totals.Sums.Allocations.ToString(CultureInfo.InvariantCulture);

        Assert.Equal($"word,allocations,NULL\r\n\"a,\"\"b\",{allocations},\r\n", Verb("sql", trace.TracePath, Sql, "--csv").Expect(0).Output);
        Assert.Equal(
            $$"""{"schema":"nativeheap.sql/1","columns":["word","allocations","NULL"],"rows":[["a,\"b",{{allocations}},null]]}""" + "\n",
            Verb("sql", trace.TracePath, Sql, "--json").Expect(0).Output);
        Assert.Matches($@"^  word  +allocations  NULL\n  a,""b  +{allocations}\n$", Verb("sql", trace.TracePath, Sql).Expect(0).Output);
    }

    [Theory]
    [InlineData("DELETE FROM stack")]
    [InlineData("ATTACH 'other.db' AS other")]
    [InlineData("PRAGMA user_version = 7")]
    [InlineData("SELECT 1; SELECT 2")]
    [InlineData("SELECT FROM")]
    [InlineData("")]
    public void A_query_that_does_not_only_read_is_refused(string sql)
    {
        using var trace = Record("3");
        var bytes = File.ReadAllBytes(trace.TracePath);
        var outcome = Verb("sql", trace.TracePath, sql).Expect(2);

        Assert.Equal("", outcome.Output);
        Assert.Matches("^error: the query: [^\n]+$", Assert.Single(outcome.Said));
        Assert.Equal(bytes, File.ReadAllBytes(trace.TracePath));
        Assert.Single(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void Every_query_of_the_documentation_works()
    {
        using var trace = Record("3");
        var queries = File.ReadAllText(Path.Combine(Built.Root, "docs/queries.md"))
            .Split("```sql\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)]).ToList();

        Assert.True(queries.Count >= 8, "the page lost its queries");
        // Nobody has looked at the resident memory of so short a run, and its mappings are not recorded.
        Assert.All(queries, query => Assert.Equal(
            query.Contains("FROM ledger", StringComparison.Ordinal) || query.Contains("FROM mapped", StringComparison.Ordinal),
            trace.Ask(query).Count == 0));
    }

    [Theory]
    [InlineData("lines", "no/such/source.cpp")]
    [InlineData("diff", "--group", "nonsense")]
    [InlineData("diff", "--group", "type", "--by", "peak")]
    [InlineData("diff", "--top", "0")]
    public void Nonsense_is_refused_in_one_line(string verb, params string[] options)
    {
        using var trace = Record("3");
        string[] second = verb == "diff" ? [trace.TracePath] : [];
        var outcome = Verb([verb, trace.TracePath, .. second, .. options]).Expect(2);

        Assert.Equal("", outcome.Output);
        Assert.Equal("", outcome.OwnErrors);
        Assert.Single(outcome.Said, line => line.StartsWith("error: ", StringComparison.Ordinal));
    }

    [Fact]
    public void Types_that_nobody_counted_are_not_compared_and_one_line_says_when_they_are()
    {
        using var trace = Record("3");

        var outcome = Verb("diff", trace.TracePath, trace.TracePath, "--group", "type").Expect(4);

        Assert.Equal("", outcome.Output);
        Assert.Contains("@end holds no types", Assert.Single(outcome.Said), StringComparison.Ordinal);
    }

    // The lines below the tree's heading, with single spaces.
    private static List<string> Tree(Recording trace, string view) =>
    [
        .. Verb("report", trace.TracePath, "--view", view).Expect(0).Output.Split('\n')
            .Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
            .SkipWhile(line => line != "bytes share blocks").Skip(1),
    ];

    private static string Source => Path.Combine(Built.Root, "tests/targets/line_by_line.cpp");

    private static Outcome Verb(params string[] words) => Program.Run(["dotnet", Built.Command, .. words]);

    private static JsonElement Ask(Recording trace, string verb, params string[] words) =>
        JsonDocument.Parse(Verb([verb, trace.TracePath, .. words, "--json"]).Expect(0).Output).RootElement;

    private static (long Bytes, long Blocks) Delta(JsonElement item) =>
        (item.GetProperty("delta_bytes").GetInt64(), item.GetProperty("delta_blocks").GetInt64());

    private Recording Record(string rounds)
    {
        var trace = Recording.Run(_folder, [Built.Target("line_by_line"), rounds]);
        trace.Outcome.Expect(0);
        return trace;
    }
}
