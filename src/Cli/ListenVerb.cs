using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using NativeHeap.Collect.Attaching;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Server;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>listen</c>: a collector for programs that others start.</summary>
internal static class ListenVerb
{
    private const int MostTracesOfOneName = 10_000;
    private const int LongestName = 64;

    private static readonly Option<string> Socket = new("--socket")
    {
        HelpName = "PATH",
        Description = "Where programs find the collector: NATIVEHEAP_SOCKET names it to them.",
        Required = true,
    };

    private static readonly Option<string> Folder = new("--output", "-o")
    {
        HelpName = "DIR",
        Description = "Folder for the traces, one a program: nativeheap.<name>.<pid>.nheap. Made when it is missing.",
        Required = true,
    };

    private static readonly Option<bool> NoTakeover = new("--no-takeover")
    {
        Description = "Leaves those alone that a collector before this one has recorded at PATH and that still run; without it each is recorded on, to a new trace.",
    };

    private static readonly SnapshotSettings Snapshots = new();

    private static readonly MmapSetting Mmap = new();

    private static readonly Option<int?> MaxOverhead = RecordingOptions.MaxOverheadOption();

    public static Verb Create()
    {
        var verb = new Verb(
            "listen",
            "Records the programs that others start with LD_PRELOAD=…/libnativeheap.so NATIVEHEAP_SOCKET=PATH, until it is interrupted.",
            "nativeheap listen --socket /run/user/1000/nativeheap -o traces",
            "nativeheap listen --socket /run/user/1000/nativeheap -o traces --snapshot-limit 90% --snapshot-signal USR2",
            "nativeheap listen --socket /run/user/1000/nativeheap -o traces --no-takeover",
            "nativeheap listen --socket /run/user/1000/nativeheap -o traces --mmap",
            "nativeheap listen --socket /run/user/1000/nativeheap -o traces --max-overhead 20%")
        {
            Socket, Folder, NoTakeover, Mmap.Option, MaxOverhead,
        };
        foreach (var option in Snapshots.Options)
        {
            verb.Add(option);
        }
        verb.SetAction(result => Run(
            result.GetValue(Socket)!, result.GetValue(Folder)!, TakesOver(result), new SessionOptions
            {
                Examiner = new HeapExaminer(),
                Judge = LeakPlan.Usual.Judge,
                Snapshots = Snapshots.Read(result),
                Mappings = Mmap.Read(result),
                MaxOverhead = result.GetValue(MaxOverhead),
                OverheadExceeded = Messages.Say,
            }));
        return verb;
    }

    // A call in another process is written for one processor.
    private static bool TakesOver(ParseResult result) =>
        !result.GetValue(NoTakeover) && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    private static int Run(string socket, string folder, bool takesOver, SessionOptions recording)
    {
        Prepare(folder);
        using var ending = new EndingSignals(); // before anybody can find the socket, which has to be taken away
        using var listener = new Listener(socket, new ListenerOptions
        {
            Recording = recording,
            Create = newcomer => CreateTrace(folder, newcomer),
            Conclude = Conclude,
            Describe = (trace, newcomer) => TraceDescription.Describe(trace.Describe, newcomer.Command),
            Warn = Messages.Warn,
            TakeOver = takesOver ? new Takeover(Messages.Say, Messages.Warn).Run : null,
        });
        using var asked = ending.Ask(listener.Stop);
        var shim = NativeFiles.Locate(AppContext.BaseDirectory).Shim;
        Messages.Say($"listening; start programs with LD_PRELOAD={shim} NATIVEHEAP_SOCKET={Path.GetFullPath(socket)}");
        listener.Run();
        return listener.HadFaults ? ExitCodes.Fault : ExitCodes.Success;
    }

    private static void Prepare(string folder)
    {
        try
        {
            if (!Directory.Exists(folder))
            {
                Directory.CreateDirectory(
                    folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ToolException($"{folder} cannot be made: {error.Message}", ExitCodes.Usage, error);
        }
        if (PrivatePlace.Problem(folder) is { } problem)
        {
            throw new ToolException($"traces cannot go there: {problem}", ExitCodes.Usage);
        }
    }

    private static TraceWriter CreateTrace(string folder, Newcomer newcomer)
    {
        var name = newcomer.Name.Length > LongestName ? newcomer.Name[..LongestName] : newcomer.Name;
        for (var again = 0; ; again++)
        {
            var path = Path.Combine(folder, TraceDescription.FileName(name, newcomer.Pid, again));
            if (File.Exists(path) && again < MostTracesOfOneName)
            {
                continue; // of an earlier process with that number
            }
            var writer = TraceWriter.Create(path);
            Messages.Say(string.Create(CultureInfo.InvariantCulture, $"recording process {newcomer.Pid} ({name}) to {path}"));
            return writer;
        }
    }

    private static void Conclude(TraceSession trace, CancellationToken hurried)
    {
        var recording = trace.Finish();
        TraceNames.Complete(recording, trace.NameManagedCode, hurried);
        recording.Close(TraceSession.Clock());
        Messages.Say($"wrote {trace.TracePath}");
    }
}
