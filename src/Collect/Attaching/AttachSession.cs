using System.Globalization;
using System.Text;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Server;
using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Attaching;

/// <summary>
/// A recording of a process that runs already, until it ends or somebody wants no more. Its methods are for one thread, and
/// are called in the order in which they stand here.
/// </summary>
public sealed class AttachSession : IDisposable
{
    private readonly AttachTarget _target;
    private readonly SessionOptions _options;
    private readonly ShimLoader _loader;
    private readonly PrivateFolder _folder;
    private readonly PollLoop _poll;
    private readonly Heartbeat _heartbeat = new();
    private readonly TraceSession _trace;
    private readonly ControlServer _server;
    private readonly ManualResetEventSlim _over = new();
    private readonly CancellationTokenSource _hurried = new();
    private volatile bool _isEmpty;

    /// <summary>Listens, and is ready for the process.</summary>
    /// <param name="writer">A new trace; the caller's, who disposes it after the session.</param>
    /// <param name="target">Whom to attach to.</param>
    /// <param name="shim">The shim's path.</param>
    /// <param name="options">What is recorded.</param>
    /// <exception cref="IOException">There is no place for a socket.</exception>
    /// <exception cref="ToolException">The process does not see the socket.</exception>
    public AttachSession(TraceWriter writer, AttachTarget target, string shim, SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(options);
        _target = target;
        _options = options;
        _loader = new ShimLoader(target, shim);
        _folder = PrivateFolder.Create();
        if (AttachTarget.OutOfSight(target.Pid, _folder.Path) is { } problem)
        {
            _folder.Dispose();
            throw new ToolException($"process {target.Pid} {problem}", ExitCodes.Target);
        }

        _poll = new PollLoop(fault => _trace!.TakeFault(fault));
        _trace = new TraceSession(writer, _poll, _heartbeat, options);
        _trace.Host.ExpectNoCommand();
        _trace.Host.DetachAsked = Stop;
        _server = ControlServer.Listen(_folder.SocketPath, _poll, _trace.Host);
        _trace.Faulted += _over.Set;
        _trace.NobodyLeft += EndWithLast;
        _trace.WriteFailed += error => WriteFailed?.Invoke(error);
    }

    /// <summary>The trace cannot be written any more: the process goes on, the trace ends at its last commit. Once, on a
    /// thread of the session.</summary>
    public event Action<TraceWriteException>? WriteFailed;

    /// <summary>Why the trace cannot be written; null while it can.</summary>
    public TraceWriteException? WriteFailure => _trace.WriteFailure;

    /// <summary>Cancelled when the user does not want to wait for anything more.</summary>
    public CancellationToken Hurried => _hurried.Token;

    /// <summary>Sets a text of the trace's <c>meta</c>. Before <see cref="Start"/>.</summary>
    public void Describe(string key, string value) => _trace.Describe(key, value);

    /// <summary>Has the process load the shim, and begins to record.</summary>
    /// <exception cref="ToolException">It could not be done, and the process goes on as before.</exception>
    public AttachReport Start()
    {
        _trace.Start();
        _poll.Start();
        return _loader.Attach(Settings());
    }

    /// <summary>Waits until the process and those it has forked have ended, or <see cref="Stop"/> was called, or the time
    /// is over.</summary>
    /// <param name="duration">Null: as long as it takes.</param>
    public void Wait(TimeSpan? duration) => _over.Wait(duration ?? Timeout.InfiniteTimeSpan);

    /// <summary>Ends <see cref="Wait"/>; the second time, without waiting for names. Any thread.</summary>
    public void Stop()
    {
        if (_over.IsSet)
        {
            _hurried.Cancel();
        }

        _over.Set();
    }

    /// <summary>Has the process cease to record, if it still runs.</summary>
    /// <returns>What was done; null when it has ended.</returns>
    /// <exception cref="ToolException">It could not be done: the shim ceases by itself when this command ends.</exception>
    public AttachReport? Detach() => _isEmpty || !_target.IsThere() ? null : _loader.Detach();

    /// <summary>Ends the recording: what is left in the rings is read and written. The trace is not closed yet, so that
    /// places can be named (<see cref="Recording.Locations"/>).</summary>
    /// <returns>The recording, for the caller's thread from now on.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public Recording Finish()
    {
        _trace.EndChecks();
        _poll.Send(_server.Stop);
        return _trace.Finish();
    }

    /// <summary>Names code of .NET in the trace, by what its runtimes have told. After <see cref="Finish"/>.</summary>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>Remarks for a person.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public IReadOnlyList<string> NameManagedCode(CancellationToken cancellation) => _trace.NameManagedCode(cancellation);

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

    private string Settings()
    {
        var settings = new StringBuilder();
        settings.Append(CultureInfo.InvariantCulture, $"{ShimSettings.Socket}={_folder.SocketPath}\n");
        if (_options.SampleBytes != 0)
        {
            settings.Append(CultureInfo.InvariantCulture, $"{ShimSettings.Sample}={_options.SampleBytes}\n");
        }

        if (_options.Mappings)
        {
            settings.Append(CultureInfo.InvariantCulture, $"{ShimSettings.Mmap}=yes\n");
        }

        if (!_options.FollowChildren)
        {
            settings.Append(CultureInfo.InvariantCulture, $"{ShimSettings.Follow}=no\n");
        }

        return settings.ToString();
    }

    // Before it has come nobody is there either.
    private void EndWithLast()
    {
        if (_trace.SawAnyProcess)
        {
            _isEmpty = true;
            _over.Set();
        }
    }
}
