using System.Collections;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary>Records one command. Whatever can be refused is refused before the command is started; once it runs, nothing
/// that happens to us happens to it.</summary>
internal sealed class RunCommand
{
    /// <summary>The command and its arguments.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>The trace; null for the default name.</summary>
    public required string? Output { get; init; }

    /// <summary>Whether an existing trace is replaced.</summary>
    public required bool Force { get; init; }

    /// <summary>The picture to draw at the end; null for none.</summary>
    public required PictureFile? Picture { get; init; }

    /// <summary>How it is recorded.</summary>
    public required SessionOptions Options { get; init; }

    /// <summary>Called instead of the summary when the trace is closed; tells our exit code. Null: the summary.</summary>
    public Func<SupervisorLink, string, int>? Conclude { get; init; }

    /// <summary>Runs it all.</summary>
    /// <returns>Our exit code; the supervisor's is the command's.</returns>
    /// <exception cref="ToolException">It was refused, and nothing was started.</exception>
    public int Run()
    {
        using var link = SupervisorLink.TryTake() ?? throw new ToolException(
            "run must be started by the supervisor: use tools/nativeheap, or nativeheap-launch dotnet nativeheap.dll run",
            ExitCodes.Usage);
        var files = NativeFiles.Locate(AppContext.BaseDirectory);
        ShimSettings.Check(Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string?)variable.Value ?? "")));
        var program = Preflight.Check(Command, new PreflightOptions { ShimPath = files.Shim });

        var path = Output ?? DefaultName();
        using var writer = TraceWriter.Create(path, Force);
        using var session = Open(writer, files, program.StartsDotNet);
        session.WriteFailed += error => Messages.Warn(
            $"{error.Message}; the command goes on, the trace ends at its last commit");
        try
        {
            session.Start(link, Command);
        }
        catch (ToolException)
        {
            writer.Abandon();
            throw;
        }
        session.Wait();
        return Close(session, writer, link);
    }

    private static Session Open(TraceWriter writer, NativeFiles files, SessionOptions options)
    {
        try
        {
            return new Session(writer, files, options);
        }
        catch (IOException error)
        {
            writer.Abandon();
            throw new ToolException(error.Message, ExitCodes.Fault, error);
        }
    }

    private Session Open(TraceWriter writer, NativeFiles files, bool startsDotNet)
    {
        var session = Open(writer, files, Options with { ExpectsRuntime = startsDotNet });
        TraceDescription.Describe(session.Describe, Command);
        return session;
    }

    // The command has ended: from here on its exit code is known, and whatever goes wrong is ours to say.
    private int Close(Session session, TraceWriter writer, SupervisorLink link)
    {
        if (!TraceClosing.Close(session.Finish, session.NameManagedCode, () => session.WriteFailure is not null, session.Hurried))
        {
            return ExitCodes.Fault;
        }
        if (session.RefusedProcesses > 0)
        {
            var count = session.RefusedProcesses;
            Messages.Warn(count == 1 ? "1 process could not be recorded" : $"{count} processes could not be recorded");
        }
        writer.Dispose();
        if (Conclude is not null)
        {
            return Conclude(link, writer.Path);
        }
        TraceClosing.Show(writer.Path, Picture);
        return ExitCodes.Success;
    }

    // The supervisor is the process that the shell started, so its pid is the one the user knows.
    private string DefaultName()
    {
        return TraceDescription.FileName(Path.GetFileName(Command[0]), SupervisorLink.Pid);
    }
}
