using System.Text;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Fixtures;
using NativeHeap.Testing;

namespace NativeHeap.Present.Tests;

public sealed class ReportTests : IDisposable
{
    private const long Ms = 1_000_000;

    private readonly TempFolder _folder = new();

    public static TheoryData<string, int?, StackQuestion> TextReports => new()
    {
        { "report-sample-80.txt", 80, new StackQuestion() },
        { "report-sample-peak.txt", null, new StackQuestion { By = StackMeasure.Peak, Top = 1 } },
        { "report-sample-count.txt", 120, new StackQuestion { By = StackMeasure.Count } },
        { "report-sample-at.txt", 120, new StackQuestion { AtNs = 304 * Ms } },
        { "report-sample-range.txt", 120, new StackQuestion { FromNs = 100 * Ms, ToNs = 400 * Ms, Pid = 4711 } },
        { "report-sample-pid.txt", 120, new StackQuestion { Pid = 4712 } },
        { "report-hard-80.txt", 80, new StackQuestion() },
        { "report-hard-120.txt", 120, new StackQuestion() },
        { "report-hard-wide.txt", null, new StackQuestion() },
    };

    public void Dispose() => _folder.Dispose();

    private Report Ask(TraceBuilder trace, StackQuestion question)
    {
        using var profile = Profile.Open(trace.Write(_folder["a.nheap"]));
        var report = Report.Ask(profile, question) with { Path = "a.nheap" };
        return report with { Answer = report.Answer with { Stacks = [.. report.Answer.Stacks] } };
    }

    private static string Text(Report report, int? width, bool colour = false)
    {
        using var output = new StringWriter();
        ReportText.Write(new TextCanvas(output, width, colour), report);
        return output.ToString();
    }

    private static string Json(Report report)
    {
        using var output = new MemoryStream();
        ReportJson.Write(output, report);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    [Theory]
    [MemberData(nameof(TextReports))]
    public void Text_is_as_it_was_found_good(string name, int? width, StackQuestion question)
    {
        var trace = name.Contains("hard", StringComparison.Ordinal) ? HardTrace.Build() : SampleTrace.Build();
        var text = Text(Ask(trace, question), width);

        Golden.Same(name, text);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, width ?? int.MaxValue));
    }

    [Fact]
    public void Json_is_as_it_was_found_good()
    {
        Golden.Same("report-sample.json", Json(Ask(SampleTrace.Build(), new StackQuestion())));
    }

    [Fact]
    public void Mappings_stand_apart_from_the_heap_and_are_exact_where_it_is_not()
    {
        var trace = new TraceBuilder().Meta("mappings", 1).Meta("exact", 0).Meta("sample_bytes", 512 << 10);
        var process = trace.Process(4711);
        var module = trace.Module("/srv/server");
        var main = trace.Code(module, 0x1000, new Model.ResolvedFrame("main", "server.c", 9, false));
        var heap = trace.Stack(main, trace.Entry(Model.EntryPoint.Malloc));
        var mapped = trace.Stack(main, trace.Entry(Model.EntryPoint.Mmap));
        var reserved = trace.Stack(main, trace.Entry(Model.EntryPoint.MmapNone));
        trace.Blocks(process, heap, 0, -1, 3, 3000);
        foreach (var (stack, mappings, pages, over, cut) in new[] { (mapped, 5L, 50L, 2L, 21L), (reserved, 1L, 1000L, 0L, 0L) })
        {
            trace.Row(
                "mapped_total", ("process_id", process), ("stack_id", stack), ("mappings", mappings), ("mapped_bytes", pages << 12),
                ("unmappings", over), ("unmapped_bytes", cut << 12), ("peak_mappings", 1), ("peak_bytes", 40 << 12));
        }
        trace.Row("mapped_peak", ("process_id", process), ("mappings", 2), ("bytes", 80 << 12), ("time_ns", 30 * Ms));

        Golden.Same("report-mapped.txt", Text(Ask(trace, new StackQuestion { OfMappings = true }), 100));
        File.Delete(_folder["a.nheap"]);
        using var json = JsonDocument.Parse(Json(Ask(trace, new StackQuestion())));
        Assert.Equal(3, json.RootElement.GetProperty("selection").GetProperty("blocks").GetInt64());
        Assert.Equal(1029 << 12, json.RootElement.GetProperty("mapped").GetProperty("live_bytes").GetInt64());
        Assert.Equal(1000 << 12, json.RootElement.GetProperty("mapped").GetProperty("live_reserved_bytes").GetInt64());
    }

    [Fact]
    public void Nothing_in_a_trace_reaches_the_terminal_as_a_control_character()
    {
        var text = Text(Ask(HardTrace.Build(), new StackQuestion()), 100);
        Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain('\u202e', text); // turns the direction of writing
    }

    [Fact]
    public void Colours_come_only_when_asked_for_and_leave_the_words_alone()
    {
        var report = Ask(SampleTrace.Build(), new StackQuestion());
        var coloured = Text(report, 80, colour: true);

        Assert.Contains("\e[1m", coloured, StringComparison.Ordinal);
        Assert.Equal(Text(report, 80), System.Text.RegularExpressions.Regex.Replace(coloured, "\e\\[[0-9]*m", ""));
    }

    [Fact]
    public void A_trace_that_was_not_closed_says_so_instead_of_speaking_of_an_end()
    {
        var trace = SampleTrace.Build().Meta("end_ns", null).Meta("complete", null);
        var text = Text(Ask(trace, new StackQuestion()), null);

        Assert.Contains("not closed: ", text, StringComparison.Ordinal);
        Assert.Contains("Live so far: 364 B", text, StringComparison.Ordinal);
        Assert.DoesNotContain("complete", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_has_every_stack_and_every_frame_that_text_leaves_out()
    {
        using var document = JsonDocument.Parse(Json(Ask(HardTrace.Build(), new StackQuestion())));
        var stacks = document.RootElement.GetProperty("stacks").EnumerateArray().ToList();

        Assert.Equal(4, stacks.Count);
        Assert.Equal([502, 101, 2, 1], stacks.Select(s => s.GetProperty("frames").GetArrayLength()));
        Assert.Equal("depth_limit", stacks[0].GetProperty("markers")[0].GetString());
        Assert.Equal(["malloc", "posix_memalign", "malloc", null], stacks.Select(s => s.GetProperty("entry").GetString()));
        Assert.All(
            stacks.SelectMany(s => s.GetProperty("frames").EnumerateArray()),
            f => Assert.Equal("native", f.GetProperty("kind").GetString()));
    }

    [Fact]
    public void Json_says_null_for_what_is_missing()
    {
        var trace = new TraceBuilder().Meta("end_ns", null).Meta("host", null);
        trace.Process(1, ("end_ns", null), ("ending", null), ("exit_code", null), ("parent_pid", null));
        using var document = JsonDocument.Parse(Json(Ask(trace, new StackQuestion())));
        var root = document.RootElement;

        Assert.Equal("schema", root.EnumerateObject().First().Name);
        string[] missing = ["exit_code", "signal", "parent_pid", "end_ns", "ending"];
        Assert.All(missing, name => Assert.Equal(JsonValueKind.Null, root.GetProperty("processes")[0].GetProperty(name).ValueKind));
        string[] ledger = ["time_ns", "rss_bytes", "parts", "unexplained_bytes"];
        Assert.All(ledger, name => Assert.Equal(JsonValueKind.Null, root.GetProperty("ledger").GetProperty(name).ValueKind));
        Assert.Equal(0, root.GetProperty("stacks").GetArrayLength());
    }

    [Fact]
    public void A_process_that_executes_another_program_has_one_exit_code_and_one_ledger()
    {
        var trace = new TraceBuilder();
        trace.Process(7, ("ending", "exec"), ("exit_code", null));
        trace.Process(8, ("ending", "unknown"), ("exit_code", null));
        trace.Process(7, ("image", 1), ("origin", "exec"), ("ending", "exec"), ("exit_code", null));
        trace.Process(7, ("image", 2), ("origin", "exec"), ("exit_code", 3));
        trace.Process(7, ("image", 0), ("origin", "fork"), ("ending", "exec"), ("exit_code", null)); // the pid came again
        trace.Process(7, ("image", 1), ("origin", "exec"), ("exit_code", 5));
        trace.Ledger(1, 5, 100).Ledger(3, 9, 200);
        using var document = JsonDocument.Parse(Json(Ask(trace, new StackQuestion())));
        var processes = document.RootElement.GetProperty("processes").EnumerateArray();

        Assert.Equal(["3", "", "3", "3", "5", "5"], processes.Select(p => p.GetProperty("exit_code").ToString()));
        Assert.Equal(200, document.RootElement.GetProperty("ledger").GetProperty("rss_bytes").GetInt64());
    }

    [Fact]
    public void The_parts_of_the_ledger_and_the_unexplained_rest_are_the_resident_memory()
    {
        using var document = JsonDocument.Parse(Json(Ask(SampleTrace.Build(), new StackQuestion())));
        var ledger = document.RootElement.GetProperty("ledger");
        var parts = ledger.GetProperty("parts").EnumerateArray().Sum(p => p.GetProperty("bytes").GetInt64());

        Assert.Equal(ledger.GetProperty("rss_bytes").GetInt64(), parts + ledger.GetProperty("unexplained_bytes").GetInt64());
    }
}
