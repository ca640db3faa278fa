using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>diff</c>: what grew from one trace, or one state of a trace, to another.</summary>
internal static class DiffVerb
{
    private const int TopForPeople = 10;

    private static readonly Argument<string> Before = new("BEFORE")
    {
        Description = "The earlier trace, or a state of it: TRACE@NAME, @1, @peak, @end.",
    };

    private static readonly Argument<string> After = new("AFTER")
    {
        Description = "The later trace or state.",
    };

    private static readonly Option<string?> By = new("--by")
    {
        HelpName = "live|peak|allocated|count",
        Description = "What is compared (default live, at the end or the state).",
    };

    private static readonly Option<string> Group = new("--group")
    {
        HelpName = "stack|function|module|type",
        Description = "What growth is added up by; functions and modules count with all they call, types as they were counted at "
            + "snapshots that were asked for.",
        DefaultValueFactory = _ => "stack",
    };

    private static readonly Option<int?> Top = Quantities.NumberOption(
        "--top", "N", $"The most to show (default {TopForPeople}; all with --json).");

    private static readonly Option<bool> Mmap = new("--mmap")
    {
        Description = "Of memory that the program mapped itself, not of the heap (of recordings by run --mmap).",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON document." };

    public static Verb Create()
    {
        By.AcceptOnlyFromAmong("live", "peak", "allocated", "count");
        Group.AcceptOnlyFromAmong("stack", "function", "module", "type");
        var verb = new Verb(
            "diff",
            "Compares two traces, or two states of one: what grew.",
            "nativeheap diff monday.nheap friday.nheap",
            "nativeheap diff server.nheap@1 server.nheap@end --group function",
            "nativeheap diff server.nheap@1 server.nheap@end --mmap",
            "nativeheap diff server.nheap@idle server.nheap@busy --group type")
        {
            Before, After, By, Group, Top, Mmap, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult arguments)
    {
        var json = arguments.GetValue(Json);
        var top = arguments.GetValue(Top);
        if (top < 1)
        {
            throw new ToolException("--top must be at least 1", ExitCodes.Usage);
        }
        var before = TraceReference.Parse(arguments.GetRequiredValue(Before));
        var after = TraceReference.Parse(arguments.GetRequiredValue(After));
        using var first = Profile.Open(before.Path);
        using var second = before.Path == after.Path ? null : Profile.Open(after.Path);
        var last = second ?? first;
        var answer = HeapDiff.Compare(first, last, new DiffQuestion
        {
            Before = before.Moment,
            After = after.Moment,
            By = Measures.Read(arguments.GetValue(By)),
            Group = Enum.Parse<CostGroup>(arguments.GetRequiredValue(Group), ignoreCase: true),
            OfMappings = arguments.GetValue(Mmap),
            Top = top ?? (json ? null : TopForPeople),
        });
        var diff = new Diff(
            arguments.GetRequiredValue(Before),
            arguments.GetRequiredValue(After),
            first.Totals(),
            last.Totals(),
            answer.OfMappings || (first.Info.Exact && last.Info.Exact),
            answer);
        Print(diff, json);
        return ExitCodes.Success;
    }

    private static void Print(Diff diff, bool json)
    {
        using var stream = Console.OpenStandardOutput();
        if (json)
        {
            DiffJson.Write(stream, diff);
            return;
        }
        using var output = new StreamWriter(stream, bufferSize: 1 << 16);
        DiffText.Write(TextCanvas.ForStandardOutput(output), diff);
    }
}
