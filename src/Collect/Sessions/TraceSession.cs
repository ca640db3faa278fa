using NativeHeap.Collect.Checks;
using NativeHeap.Collect.Server;
using NativeHeap.Managed;
using NativeHeap.Memory.Proc;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// One trace while it is recorded: the threads that drain its regions, look at its processes and write it. Where its
/// processes come from (a command of ours, a socket that others connect to) is its owner's business, as are the poll
/// thread and the clock, which several may share. Its public methods are for one thread.
/// </summary>
public sealed class TraceSession : IDisposable
{
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);

    private readonly DrainLoop _drain;
    private readonly ResidentSampler _sampler;
    private readonly TargetHost _host;
    private readonly HeapChecks? _checks;
    private readonly Runtimes _runtimes;
    private readonly Recording _recording;
    private int _quietCommits;
    private Exception? _fault;

    /// <param name="writer">A new trace; the caller's, who disposes it after the session.</param>
    /// <param name="poll">Stays the caller's, and outlives the session.</param>
    /// <param name="heartbeat">As <paramref name="poll"/>.</param>
    /// <param name="options">What is recorded.</param>
    /// <param name="commands">Waits for the runtime of a command that is about to be started; owned. Null: none is.</param>
    internal TraceSession(
        TraceWriter writer, PollLoop poll, Heartbeat heartbeat, SessionOptions options, ManagedSession? commands = null)
    {
        var mappings = new ProcessMappings();
        _recording = new Recording(writer, mappings);
        _drain = new DrainLoop(_recording, heartbeat, new SnapshotTriggers(options.Snapshots));
        var watch = options.Snapshots.WatchMemory ? new MemoryWatch(options.Snapshots, pid => MemoryLimits.Of(pid)) : null;
        var limit = options.MaxOverhead is { } percent
            ? new OverheadLimit(percent, _drain.Post, text => options.OverheadExceeded?.Invoke(text))
            : null;
        _sampler = new ResidentSampler(_drain.Post, watch, limit, reason => _drain.Post(_ => _drain.TakeSnapshot(reason)));
        _runtimes = new Runtimes(commands);
        _host = new TargetHost(
            _recording, mappings, _runtimes, poll, _drain, heartbeat, _sampler, options, Path.GetFullPath(writer.Path));
        _checks = options.Examiner is { } examiner ? new HeapChecks(_drain, _recording, examiner, options, writer.Path) : null;
        if (_checks is not null)
        {
            _checks.Faulted += TakeFault;
        }

        _host.Checks = _checks;
        if (options.Snapshots.Counter is { } counter)
        {
            _drain.Due = new DueSnapshots(counter, _recording, _host.FindLargest, action => _drain.Post(_ => action()));
        }

        TracePath = writer.Path;
        _drain.Faulted += TakeFault;
        _drain.WriteFailed += error => WriteFailed?.Invoke(error);
        _drain.Committed += CountQuietCommits;
        _drain.Committed += _runtimes.LookUp;
        _drain.Committed += () => _runtimes.TakeCollections(_recording);
    }

    /// <summary>The trace cannot be written any more: targets go on, the trace ends at its last commit. Once, on a
    /// thread of the session.</summary>
    public event Action<TraceWriteException>? WriteFailed;

    /// <summary>Something went wrong inside and should not have: the recording is over.</summary>
    internal event Action? Faulted;

    /// <summary>No process of the trace is left. After a commit, on the drain's thread, and again after the next.</summary>
    internal event Action? NobodyLeft;

    /// <summary>The trace, as it was named.</summary>
    public string TracePath { get; }

    /// <summary>Why the trace cannot be written; null while it can.</summary>
    public TraceWriteException? WriteFailure => _drain.Failure;

    /// <summary>The first thing that went wrong inside and should not have; it ends the recording. Null: nothing.</summary>
    public Exception? Fault => _fault;

    /// <summary>Processes that could not be recorded.</summary>
    public int RefusedProcesses => _host.Refused;

    /// <summary>Whether any process said hello.</summary>
    public bool SawAnyProcess => _host.SawAny;

    /// <summary>What the server tells of targets and clients.</summary>
    internal TargetHost Host => _host;

    /// <summary>Sets a text of the trace's <c>meta</c>. Before <see cref="Start"/>.</summary>
    public void Describe(string key, string value) => _recording.Describe(key, value);

    /// <summary>Starts the drain.</summary>
    internal void Start() => _drain.Start();

    /// <summary>Runs something on the drain's thread. Any thread.</summary>
    internal void Post(Action<Recording> action) => _drain.Post(action);

    /// <summary>Notes a fault of the thread that several sessions share. Any thread.</summary>
    internal void TakeFault(Exception fault)
    {
        Interlocked.CompareExchange(ref _fault, fault, null);
        Faulted?.Invoke();
    }

    /// <summary>Ends heap-checks that are under way; whoever waits for one has been answered when this returns. Any thread
    /// but ours.</summary>
    internal void EndChecks()
    {
        if (_checks is not null)
        {
            _checks.Dispose();
            var answered = new TaskCompletionSource();
            _drain.Post(_ => answered.SetResult());
            answered.Task.Wait(AnswerPatience);
        }
    }

    /// <summary>Ends the recording: what is left in the rings is read and written. The trace is not closed yet, so that
    /// places can be named (<see cref="Recording.Locations"/>). Nobody is welcomed any more.</summary>
    /// <returns>The recording, for the caller's thread from now on.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public Recording Finish()
    {
        _sampler.Dispose();
        _checks?.Dispose();
        _drain.Stop();
        _drain.Due?.Finish();
        if (_fault is not null)
        {
            throw new InvalidOperationException("the recording broke off", _fault);
        }
        if (_drain.Failure is { } failure)
        {
            throw failure;
        }
        _host.AttachMissingRoot();
        foreach (var process in _recording.Processes.Where(process => process.EndNs is null))
        {
            _recording.Note(process.Id, "was still running when the recording ended");
        }
        _recording.Tick(Heartbeat.Clock());
        _runtimes.Finish(_recording.Note);
        _runtimes.TakeCollections(_recording);
        _recording.Finish();
        return _recording;
    }

    /// <summary>Names code of .NET in the trace, by what its runtimes have told. After <see cref="Finish"/>.</summary>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>Remarks for a person.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public IReadOnlyList<string> NameManagedCode(CancellationToken cancellation) =>
        _recording.NameManagedCode(_runtimes.CodeOf, cancellation);

    /// <summary>CLOCK_MONOTONIC now, as the recording wants it.</summary>
    public static ulong Clock() => Heartbeat.Clock();

    /// <summary>Lets go of everything but the writer. The poll thread must have ended, or have let go of the processes
    /// (<see cref="TargetHost.LetGo"/>).</summary>
    public void Dispose()
    {
        _sampler.Dispose();
        _runtimes.Dispose();
        _checks?.Dispose();
        _drain.Dispose();
        _drain.Due?.Dispose();
        _recording.Dispose();
        _host.Dispose();
    }

    // A process between its exec and its hello is known to nobody for a moment: that nobody is left must be seen twice.
    private void CountQuietCommits()
    {
        _quietCommits = _recording.LiveProcesses == 0 && _host.LiveRegions == 0 ? _quietCommits + 1 : 0;
        if (_quietCommits > 1)
        {
            NobodyLeft?.Invoke();
        }
    }
}
