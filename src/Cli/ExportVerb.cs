using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Present.Exports;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>export</c>: a trace in a format that other tools read.</summary>
internal static class ExportVerb
{
    private static readonly Argument<string> Trace = new("TRACE")
    {
        Description = "The trace; with folded and speedscope also TRACE@NAME, @1, @peak.",
    };

    private static readonly Option<string> Format = new("--format")
    {
        HelpName = string.Join('|', TraceExport.Formats),
        Description = "The format: pprof (gzipped protobuf), folded (flamegraph.pl), speedscope (speedscope.app).",
        Required = true,
    };

    private static readonly Option<string> Output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "Where to.",
        Required = true,
    };

    private static readonly Option<string?> By = new("--by")
    {
        HelpName = string.Join('|', StackMeasures.Names),
        Description = "What stacks are weighed by in folded and speedscope (default live).",
    };

    private static readonly Option<int?> Pid = Quantities.NumberOption("--pid", "PID", "Only this process.");
    private static readonly Option<bool> Force = new("--force") { Description = "Replace an existing file." };

    public static Verb Create()
    {
        Format.AcceptOnlyFromAmong([.. TraceExport.Formats]);
        By.AcceptOnlyFromAmong([.. StackMeasures.Names]);
        var verb = new Verb(
            "export",
            "Writes a trace for other tools.",
            "nativeheap export server.nheap --format pprof -o server.pb.gz",
            "nativeheap export server.nheap --format folded --by peak -o peak.txt")
        {
            Trace, Format, Output, By, Pid, Force,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult arguments)
    {
        var file = OutputFile.Plan(arguments.GetRequiredValue(Output), arguments.GetValue(Force));
        var reference = TraceReference.Parse(arguments.GetRequiredValue(Trace));
        using var profile = Profile.Open(reference.Path);
        if (!profile.Info.Exact)
        {
            Messages.Warn("the trace was sampled: its figures are estimates, and the format does not say so everywhere");
        }
        file.Write(stream => TraceExport.Write(stream, profile, arguments.GetRequiredValue(Format), new StackQuestion
        {
            By = Measures.Read(arguments.GetValue(By)),
            Moment = reference.Moment,
            Pid = arguments.GetValue(Pid),
        }));
        Messages.Say($"wrote {file.Path}");
        return ExitCodes.Success;
    }
}
