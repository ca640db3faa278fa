using System.Globalization;
using System.Runtime.CompilerServices;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Server;
using NativeHeap.Managed;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// A recording of a command from its start to its end: the socket, the regions, the threads that drain them, and the
/// processes' ends. Its methods are for one thread, and are called in the order in which they stand here.
/// </summary>
public sealed class Session : IDisposable
{
    private static readonly TimeSpan CommandPatience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(1);

    private readonly SessionOptions _options;
    private readonly NativeFiles _files;
    private readonly PrivateFolder _folder;
    private readonly PollLoop _poll;
    private readonly Heartbeat _heartbeat = new();
    private readonly TraceSession _trace;
    private readonly ControlServer _server;
    private readonly TaskCompletionSource<int> _command = new();
    private readonly ManualResetEventSlim _over = new();
    private readonly CancellationTokenSource _hurried = new();
    private volatile bool _rootEnded;

    /// <summary>Listens, and is ready for targets.</summary>
    /// <param name="writer">A new trace; the caller's, who disposes it after the session.</param>
    /// <param name="files">The shim.</param>
    /// <param name="options">What is recorded.</param>
    /// <exception cref="IOException">There is no place for a socket.</exception>
    public Session(TraceWriter writer, NativeFiles files, SessionOptions options)
    {
        _options = options;
        _files = files;
        _folder = PrivateFolder.Create();
        _poll = new PollLoop(TakeFault);
        _trace = new TraceSession(
            writer, _poll, _heartbeat, options, options.ExpectsRuntime ? ListenToRuntime(_folder.RuntimePortPath) : null);
        _server = ControlServer.Listen(_folder.SocketPath, _poll, _trace.Host);
        if (options.ExpectsRuntime)
        {
            _trace.Host.AwaitRuntime();
        }
        _trace.Faulted += _over.Set;
        _trace.NobodyLeft += EndWithLast;
        _trace.WriteFailed += error => WriteFailed?.Invoke(error);
    }

    /// <summary>The trace cannot be written any more: the target goes on, the trace ends at its last commit. Once, on a
    /// thread of the session.</summary>
    public event Action<TraceWriteException>? WriteFailed;

    /// <summary>Why the trace cannot be written; null while it can.</summary>
    public TraceWriteException? WriteFailure => _trace.WriteFailure;

    /// <summary>The first thing that went wrong inside and should not have; it ends the recording. Null: nothing.</summary>
    public Exception? Fault => _trace.Fault;

    /// <summary>Processes that could not be recorded.</summary>
    public int RefusedProcesses => _trace.RefusedProcesses;

    /// <summary>Whether the command, or anything it started, was recorded.</summary>
    public bool SawAnyProcess => _trace.SawAnyProcess;

    /// <summary>Sets a text of the trace's <c>meta</c>. Before <see cref="Start"/>.</summary>
    public void Describe(string key, string value) => _trace.Describe(key, value);

    /// <summary>Starts the command.</summary>
    /// <param name="link">To the supervisor; the session's until it is disposed.</param>
    /// <param name="command">Its command line, the last arguments of our own.</param>
    /// <returns>Its pid.</returns>
    /// <exception cref="ToolException">It cannot be executed.</exception>
    public int Start(SupervisorLink link, IReadOnlyList<string> command)
    {
        _trace.Start();
        _poll.Start();
        // The target's output is its own: whoever reads it must not wait for us.
        Libc.Silence(1);
        var startNs = Heartbeat.Clock();
        var pid = link.Start(command.Count, Settings());
        _command.SetResult(pid);
        _trace.Host.Start(new TargetRoot(pid, Libc.OpenProcess(pid), startNs, string.Join(' ', command)));
        link.Ended += status => RootEnded(status);
        link.Hurried += Hurry;
        // What stood between the shell and the command was killed; the command is not ours to end, nor its recording.
        link.Lost += () => _trace.Host.FollowOrphan(RootEnded);
        _poll.Post(() => link.Watch(_poll));
        return pid;
    }

    /// <summary>Waits until the command has ended (or, if so asked, the last of its descendants).</summary>
    public void Wait() => _over.Wait();

    /// <summary>Ends the recording: what is left in the rings is read and written. The trace is not closed yet, so that
    /// places can be named (<see cref="Recording.Locations"/>).</summary>
    /// <returns>The recording, for the caller's thread from now on.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public Recording Finish()
    {
        _trace.EndChecks();
        _poll.Send(_server.Stop); // the poll thread goes on: the user may still ask for haste
        return _trace.Finish();
    }

    /// <summary>Names code of .NET in the trace, by what its runtimes have told. After <see cref="Finish"/>.</summary>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>Remarks for a person.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public IReadOnlyList<string> NameManagedCode(CancellationToken cancellation) => _trace.NameManagedCode(cancellation);

    /// <summary>Cancelled when the user does not want to wait for anything more.</summary>
    public CancellationToken Hurried => _hurried.Token;

    /// <summary>CLOCK_MONOTONIC now, as the recording wants it.</summary>
    public static ulong Clock() => Heartbeat.Clock();

    /// <inheritdoc/>
    public void Dispose()
    {
        _poll.Dispose();
        _server.Dispose();
        _trace.Dispose();
        _heartbeat.Dispose();
        _folder.Dispose();
        _over.Dispose();
        _hurried.Dispose();
    }

    // A method of its own: who records no .NET never loads what listens to it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ManagedSession ListenToRuntime(string path) => ManagedSession.Listen(path, ReadUsersPorts);

    // The kernel still has the environment that the command was started with.
    private string? ReadUsersPorts() =>
        _command.Task.Wait(CommandPatience)
            ? new ProcessReader(_command.Task.Result).ReadEnvironment()?
                .FirstOrDefault(variable => variable.Key == "DOTNET_DiagnosticPorts").Value
            : null;

    private Dictionary<string, string> Settings()
    {
        var settings = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = _files.Shim,
            [ShimSettings.Socket] = _folder.SocketPath,
        };
        if (_options.SampleBytes != 0)
        {
            settings[ShimSettings.Sample] = _options.SampleBytes.ToString(CultureInfo.InvariantCulture);
        }
        if (_options.Mappings)
        {
            settings[ShimSettings.Mmap] = "yes";
        }
        if (!_options.FollowChildren)
        {
            settings[ShimSettings.Follow] = "no";
        }
        return settings;
    }

    private void RootEnded(WaitStatus? status)
    {
        _trace.Host.RootEnded(status);
        _trace.Post(recording =>
        {
            _rootEnded = true;
            if (!_options.WaitForChildren)
            {
                // A child may have begun to write, and to end, since the last pass.
                recording.DrainOnce();
                _trace.Host.WhenLeft(LeavePatience, () => _trace.Post(_ => _over.Set()));
            }
        });
    }

    private void TakeFault(Exception fault) => _trace.TakeFault(fault);

    private void Hurry()
    {
        _hurried.Cancel();
        _over.Set();
    }

    private void EndWithLast()
    {
        if (_rootEnded)
        {
            _over.Set();
        }
    }
}
