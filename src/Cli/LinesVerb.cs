using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>lines</c>: what each line of a source file allocated.</summary>
internal static class LinesVerb
{
    private const int HottestFiles = 3;

    private static readonly Argument<string> Trace = new("TRACE") { Description = "The trace." };

    private static readonly Argument<string[]> Sources = new("SOURCE")
    {
        Description = $"Source files, by path or the end of one; without any, the {HottestFiles} with the most live bytes.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<bool> All = new("--all")
    {
        Description = "Show every line of a file, not only those near an allocation.",
    };

    private static readonly Option<string?> Module = new("--module")
    {
        HelpName = "NAME",
        Description = "Only stacks that run through this module (its file name or path).",
    };

    private static readonly Option<int?> Pid = Quantities.NumberOption("--pid", "PID", "Only this process.");
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON document." };

    public static Verb Create()
    {
        var verb = new Verb(
            "lines",
            "Shows line by line where a source file allocates: Mem usage is what is still live, Increment all that was "
            + "allocated, with everything the line calls.",
            "nativeheap lines server.nheap",
            "nativeheap lines server.nheap src/cache.cpp --all")
        {
            Trace, Sources, All, Module, Pid, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult arguments)
    {
        var reference = TraceReference.Parse(arguments.GetRequiredValue(Trace));
        if (reference.Moment is { } moment and not TraceReference.End)
        {
            throw new ToolException($"lines are about all of a trace, not @{moment}", ExitCodes.Usage);
        }
        using var profile = Profile.Open(reference.Path);
        var all = SourceLines.Of(profile, arguments.GetValue(Pid), arguments.GetValue(Module));
        var sources = arguments.GetValue(Sources) ?? [];
        var files = Select(all, sources).Select(file => ListedFile.Find(file, profile.Info.StartUnixNs)).ToList();
        if (!profile.Info.Closed)
        {
            profile.Notes.ToList().ForEach(Messages.Warn);
        }
        Print(files, sources.Length == 0 ? all : [], profile.Info.Exact, arguments);
        return ExitCodes.Success;
    }

    private static IEnumerable<SourceFile> Select(IReadOnlyList<SourceFile> files, string[] sources)
    {
        if (files.Count == 0)
        {
            Messages.Warn("no frame of this trace has a line: the programs were built without debug information (-g)");
            return [];
        }
        if (sources.Length == 0)
        {
            return files.Take(HottestFiles);
        }
        return sources.SelectMany(source => files.Where(file => Means(source, file.File)).ToList() switch
        {
            [] => throw new ToolException(
                $"no line of '{source}' allocated; files that did: "
                + string.Join(", ", files.Take(5).Select(file => Words.Printable(file.File))), ExitCodes.Usage),
            var found => found,
        }).Distinct();
    }

    private static bool Means(string source, string file)
    {
        var full = Path.GetFullPath(source);
        return file == source || file == full || Path.GetFullPath(file) == full
            || file.EndsWith("/" + source.TrimStart('.', '/'), StringComparison.Ordinal);
    }

    private static void Print(
        List<ListedFile> files, IReadOnlyList<SourceFile> hottest, bool isExact, ParseResult arguments)
    {
        using var stream = Console.OpenStandardOutput();
        if (arguments.GetValue(Json))
        {
            LinesJson.Write(stream, files, isExact);
            return;
        }
        using var output = new StreamWriter(stream, bufferSize: 1 << 16);
        var canvas = TextCanvas.ForStandardOutput(output);
        LinesText.WriteHottest(canvas, hottest, isExact);
        LinesText.Write(canvas, files, isExact, arguments.GetValue(All));
    }
}
