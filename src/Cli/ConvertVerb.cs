using System.CommandLine;
using NativeHeap.Collect;
using NativeHeap.Collect.Raw;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>convert</c>: a trace of what programs wrote without a collector.</summary>
internal static class ConvertVerb
{
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "What a program wrote to NATIVEHEAP_OUT; several for it and the programs that it started.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "The trace (default nativeheap.<name>.<pid>.nheap).",
    };

    private static readonly Option<bool> Force = new("--force") { Description = "Replace an existing trace." };

    public static Verb Create()
    {
        var verb = new Verb(
            "convert",
            "Makes a trace of the raw stream that a program started with LD_PRELOAD=…/libnativeheap.so NATIVEHEAP_OUT=FILE has written.",
            "nativeheap convert server.raw -o server.nheap",
            "nativeheap convert build.raw* -o build.nheap")
        {
            Files, Output, Force,
        };
        verb.SetAction(result => Run(result.GetValue(Files)!, result.GetValue(Output), result.GetValue(Force)));
        return verb;
    }

    private static int Run(string[] names, string? output, bool force)
    {
        var files = new List<RawFile>();
        try
        {
            files.AddRange(names.Distinct(StringComparer.Ordinal).Select(RawFile.Open));
            return Convert(files, output, force);
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    private static int Convert(List<RawFile> files, string? output, bool force)
    {
        var first = files.MinBy(file => file.StartNs)!;
        var running = files.Where(file => file.IsBeingWritten()).ToList();
        var name = Path.GetFileName(first.Executable ?? (first.Command.Count > 0 ? first.Command[0] : "process"));
        using var writer = TraceWriter.Create(output ?? TraceDescription.FileName(name, first.Pid), force);
        using var recording = new Recording(writer) { StartUnixNs = first.StartUnixNs };
        try
        {
            TraceDescription.Describe(recording.Describe, first.Command);
            var conversion = new RawConversion(recording, files);
            conversion.Run(areRunning: running.Count > 0, CancellationToken.None);
            recording.Finish();
            TraceNames.Complete(recording, token => recording.NameManagedCode(_ => null, token), CancellationToken.None);
            recording.Close(conversion.EndNs);
        }
        catch (Model.ToolException)
        {
            recording.Dispose();
            writer.Abandon();
            throw;
        }
        running.ForEach(file => Messages.Warn($"{file.Path} is still being written: the trace ends where it was when it was read"));
        writer.Dispose();
        RunSummary.Say(writer.Path);
        return Model.ExitCodes.Success;
    }
}
