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

    private const string Parquet = "parquet";

    private static readonly string[] Formats = [.. TraceExport.Formats, Parquet];

    private static readonly Option<string> Format = new("--format")
    {
        HelpName = string.Join('|', Formats),
        Description = "The format: pprof (gzipped protobuf), otlp (OpenTelemetry profiles, protobuf), firefox "
            + "(profiler.firefox.com), gperftools (text for google-pprof), folded (flamegraph.pl), speedscope (speedscope.app), "
            + "parquet (a folder for many traces, for DuckDB, Spark and others).",
        Required = true,
    };

    private static readonly Option<string> Output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "Where to; with parquet a folder.",
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
        Format.AcceptOnlyFromAmong(Formats);
        By.AcceptOnlyFromAmong([.. StackMeasures.Names]);
        var verb = new Verb(
            "export",
            "Writes a trace for other tools.",
            "nativeheap export server.nheap --format pprof -o server.pb.gz",
            "nativeheap export server.nheap --format folded --by peak -o peak.txt",
            "nativeheap export server.nheap --format parquet -o traces/")
        {
            Trace, Format, Output, By, Pid, Force,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult arguments)
    {
        var format = arguments.GetRequiredValue(Format);
        var output = arguments.GetRequiredValue(Output);
        var force = arguments.GetValue(Force);
        var file = format == Parquet ? null : OutputFile.Plan(output, force);
        var reference = TraceReference.Parse(arguments.GetRequiredValue(Trace));
        var question = new StackQuestion
        {
            By = Measures.Read(arguments.GetValue(By)),
            Moment = reference.Moment,
            Pid = arguments.GetValue(Pid),
        };
        using var profile = Profile.Open(reference.Path);
        if (!profile.Info.Exact)
        {
            Messages.Warn("the trace was sampled: its figures are estimates, and the format does not say so everywhere");
        }
        if (file is null)
        {
            WriteParquet(profile, question, output, force);
            return ExitCodes.Success;
        }
        file.Write(stream => TraceExport.Write(stream, profile, format, question));
        foreach (var note in profile.Notes)
        {
            Messages.Warn(note);
        }
        Messages.Say($"wrote {file.Path}");
        return ExitCodes.Success;
    }

    private static void WriteParquet(Profile profile, StackQuestion question, string folder, bool force)
    {
        TraceExport.RequireWhole(Parquet, question);
        if (question.Pid is not null)
        {
            throw new ToolException("parquet has all processes, with the pid in the table process; leave --pid out", ExitCodes.Usage);
        }
        if (!profile.Info.Closed)
        {
            Messages.Warn("the trace was not closed, so it holds no names yet");
        }
        var name = ParquetExport.Write(profile.Path, folder, force);
        Messages.Say($"wrote {name} into {folder}");
    }
}
