using System.CommandLine;
using NativeHeap.Collect.Attaching;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>attach</c>: records a process that runs already.</summary>
internal static class AttachVerb
{
    private const int MostTracesOfOneName = 10_000;

    private static readonly Option<int> Pid = new("--pid", "-p")
    {
        HelpName = "PID",
        Description = "The process.",
        Required = true,
    };

    private static readonly RecordingOptions Options = new("Whether children that it forks are recorded, too (default yes).");

    private static readonly Option<long?> Duration = Quantities.DurationOption(
        "--duration", "Record for so long; without it until Ctrl-C, nativeheap detach or the end of the process.");

    private static readonly Option<bool> DespiteSeccomp = new("--despite-seccomp")
    {
        Description = "Attach also where a seccomp filter cannot be read that may end the process for what recording needs.",
    };

    public static Verb Create()
    {
        var verb = new Verb(
            "attach",
            "Records where the native memory of a running process goes from now on. The process goes on untouched when the recording ends.",
            "nativeheap attach -p 4711",
            "nativeheap attach -p 4711 --duration 30s -o server.nheap --plot heap.png",
            "nativeheap attach -p 4711 --sample 512KiB",
            "nativeheap attach -p 4711 --mmap",
            "nativeheap attach -p 4711 --max-overhead 20%")
        {
            Pid,
        };
        Options.AddTo(verb);
        verb.Add(Duration);
        verb.Add(DespiteSeccomp);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult result)
    {
        var pid = result.GetValue(Pid);
        if (pid <= 0)
        {
            throw new ToolException("--pid must be more than 0", ExitCodes.Usage);
        }

        var duration = Quantities.Positive(result, Duration) is { } ns ? TimeSpan.FromTicks(Math.Max(1, ns / 100)) : (TimeSpan?)null;
        if (duration?.TotalMilliseconds > int.MaxValue)
        {
            throw new ToolException("--duration is at most 24 days", ExitCodes.Usage);
        }

        var options = Options.Session(result);
        var picture = Options.Picture(result);
        var shim = NativeFiles.Locate(AppContext.BaseDirectory).Shim;
        Preflight.CheckShim(shim);
        var target = AttachTarget.Examine(pid, shim, result.GetValue(DespiteSeccomp));
        using var writer = Create(Options.Output(result), target, Options.Force(result));
        using var session = Open(writer, target, shim, options);
        session.WriteFailed += error => Messages.Warn(
            $"{error.Message}; the process goes on, the trace ends at its last commit");
        TraceDescription.Describe(session.Describe, target.Command);
        // From here on the end is ours to make: the process must be let go, and the trace be closed.
        using var ending = new EndingSignals();
        using var asked = ending.Ask(session.Stop);
        SayAttached(target, Start(session, writer), writer.Path);
        session.Wait(duration);
        return Close(session, writer, target, picture);
    }

    private static TraceWriter Create(string? output, AttachTarget target, bool force)
    {
        for (var again = 0; ; again++)
        {
            var path = output ?? TraceDescription.FileName(target.Name, target.Pid, again);
            if (output is null && !force && File.Exists(path) && again < MostTracesOfOneName)
            {
                continue; // of an earlier attach
            }

            return TraceWriter.Create(path, force);
        }
    }

    private static AttachSession Open(TraceWriter writer, AttachTarget target, string shim, SessionOptions options)
    {
        try
        {
            return new AttachSession(writer, target, shim, options);
        }
        catch (IOException error)
        {
            writer.Abandon();
            throw new ToolException(error.Message, ExitCodes.Fault, error);
        }
        catch (ToolException)
        {
            writer.Abandon();
            throw;
        }
    }

    private static AttachReport Start(AttachSession session, TraceWriter writer)
    {
        try
        {
            return session.Start();
        }
        catch (ToolException)
        {
            writer.Abandon();
            throw;
        }
    }

    private static int Close(AttachSession session, TraceWriter writer, AttachTarget target, PictureFile? picture)
    {
        try
        {
            if (session.Detach() is { } report)
            {
                Messages.Say($"detached from process {target.Pid}{report.Text}");
            }
        }
        catch (ToolException error)
        {
            Messages.Warn($"{error.Message}; its calls go straight to its allocator when this command ends");
        }

        if (!TraceClosing.Close(session.Finish, session.NameManagedCode, () => session.WriteFailure is not null, session.Hurried))
        {
            return ExitCodes.Fault;
        }

        writer.Dispose();
        TraceClosing.Show(writer.Path, picture);
        return ExitCodes.Success;
    }

    private static void SayAttached(AttachTarget target, AttachReport report, string path)
    {
        Messages.Say($"attached to process {target.Pid} ({target.Name}){report.Text}");
        Messages.Say($"recording to {path}; end it by Ctrl-C, or by: nativeheap detach -p {target.Pid}");
    }
}
