using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>report</c>: what a trace says about memory, as text or JSON.</summary>
internal static class ReportVerb
{
    /// <summary>Stacks that a person reads; JSON is for programs and has all.</summary>
    private const int TopForPeople = 10;

    /// <summary>Nodes of a call tree below one part in a hundred are left out.</summary>
    private const double LeastShare = 0.01;

    private static readonly Argument<string> Trace = new("TRACE")
    {
        Description = "The trace; TRACE@NAME, @1 or @2 for a snapshot, @peak, @end.",
    };

    private static readonly Option<string?> By = new("--by")
    {
        HelpName = string.Join('|', StackMeasures.Names),
        Description = "What stacks are weighed by (default live: at the end, or --at).",
    };

    private static readonly Option<string> View = new("--view")
    {
        HelpName = "stacks|functions|modules|threads|top-down|bottom-up",
        Description = "Whole stacks, tables of functions or modules (inclusive and self) or threads, or a call tree.",
        DefaultValueFactory = _ => "stacks",
    };

    private static readonly Option<int?> Top = Quantities.NumberOption(
        "--top", "N", $"The most stacks to show (default {TopForPeople}; all with --json).");

    private static readonly Option<long?> At = Quantities.DurationOption("--at", "What was live at this time after the start.");
    private static readonly Option<long?> From = Quantities.DurationOption("--from", "Only what was allocated from this time on.");

    private static readonly Option<long?> To = Quantities.DurationOption(
        "--to", "Only what was allocated before this time, and was still alive then (with --by freed: was freed before it).");

    private static readonly Option<int?> Pid = Quantities.NumberOption("--pid", "PID", "Only this process.");
    private static readonly Option<bool> Mmap = new("--mmap")
    {
        Description = "The memory that the program mapped itself, by stack, instead of the heap (of a recording by run --mmap).",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON document." };

    private static readonly Option<string?> Html = new("--html")
    {
        HelpName = "FILE",
        Description = "Write an interactive page (not there yet).",
    };

    public static Verb Create()
    {
        View.AcceptOnlyFromAmong("stacks", "functions", "modules", "threads", "top-down", "bottom-up");
        var verb = new Verb(
            "report",
            "Shows where the memory in a trace was allocated.",
            "nativeheap report server.nheap --by peak --top 5",
            "nativeheap report server.nheap --view functions --top 30",
            "nativeheap report server.nheap --by freed --from 30s --to 60s",
            "nativeheap report server.nheap --by count --max-size 64 --module libxml2.so.2",
            "nativeheap report server.nheap --mmap --by peak",
            "nativeheap report server.nheap --from 30s --to 60s --json")
        {
            Trace, By, View, Top, At, From, To, Pid, Mmap, Json, Html,
        };
        StackFilters.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult arguments)
    {
        if (arguments.GetValue(Html) is not null)
        {
            throw new ToolException("report --html is not there yet; use --json or the text", ExitCodes.Usage);
        }

        var json = arguments.GetValue(Json);
        var reference = TraceReference.Parse(arguments.GetValue(Trace)!);
        Print(reference.Path, Question(arguments, reference, json), json, arguments.GetRequiredValue(View));
        return ExitCodes.Success;
    }

    /// <summary>Prints the answer to a question, for verbs that end in a report.</summary>
    /// <exception cref="ToolException">The trace cannot be read, or the question makes no sense for it.</exception>
    public static void Print(string trace, StackQuestion question, bool json, string view = "stacks")
    {
        if (json && view.Contains('-', StringComparison.Ordinal))
        {
            throw new ToolException(
                $"--view {view} is for people; programs read export --format speedscope", ExitCodes.Usage);
        }

        using var profile = Profile.Open(trace);
        var report = Report.Ask(profile, question);
        foreach (var note in profile.Notes)
        {
            Messages.Warn(note);
        }

        if (RunSummary.OfPools(profile, question.Pid) is { } pools)
        {
            Messages.Say(pools);
        }

        if (json)
        {
            using var output = Console.OpenStandardOutput();
            var group = GroupOf(view);
            ReportJson.Write(
                output,
                report,
                group,
                group == CostGroup.Stack ? null : CostView.ByName(profile, question, group).Names,
                view == "threads" ? ThreadsOf(profile, question) : null);
        }
        else
        {
            using var output = new StreamWriter(Console.OpenStandardOutput(), bufferSize: 1 << 16);
            ReportText.Write(TextCanvas.ForStandardOutput(output), report, WriterOf(profile, question, view));
        }
    }

    private static CostGroup GroupOf(string view) => view switch
    {
        "functions" => CostGroup.Function,
        "modules" => CostGroup.Module,
        _ => CostGroup.Stack,
    };

    private static IReadOnlyList<ThreadCost> ThreadsOf(Profile profile, StackQuestion question)
    {
        var plain = new StackQuestion { Pid = question.Pid, Top = question.Top };
        return question == plain
            ? profile.Threads(question.Pid)
            : throw new ToolException(
                "--view threads shows what threads allocated and kept over their whole lives; only --pid and --top go with it",
                ExitCodes.Usage);
    }

    private static Action<TextCanvas>? WriterOf(Profile profile, StackQuestion question, string view)
    {
        switch (view)
        {
            case "functions" or "modules":
                var (answer, names, count) = CostView.ByName(profile, question, GroupOf(view));
                return canvas => CostViewText.WriteNames(canvas, answer, names, count, GroupOf(view));
            case "threads":
                var threads = ThreadsOf(profile, question);
                return canvas => CostViewText.WriteThreads(canvas, threads, profile.Info.Exact, question.Top);
            case "top-down":
                var (down, root) = CostView.TopDown(profile, question, LeastShare);
                return canvas => CostViewText.WriteTree(canvas, down, root);
            case "bottom-up":
                var (up, callers) = CostView.BottomUp(profile, question, LeastShare);
                return canvas => CostViewText.WriteTree(canvas, up, callers);
            default:
                return null;
        }
    }

    private static StackQuestion Question(ParseResult arguments, TraceReference reference, bool json)
    {
        return StackFilters.Apply(arguments, new StackQuestion
        {
            By = Measures.Read(arguments.GetValue(By)),
            Moment = reference.Moment,
            AtNs = arguments.GetValue(At),
            FromNs = arguments.GetValue(From),
            ToNs = arguments.GetValue(To),
            Pid = arguments.GetValue(Pid),
            OfMappings = arguments.GetValue(Mmap),
            Top = arguments.GetValue(Top) ?? (json ? null : TopForPeople),
        });
    }
}
