using System.Collections.Concurrent;
using NativeHeap.Collect.Server;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// The thread that owns the recording: drains, commits, takes snapshots, sleeps. Everybody else hands it work by
/// <see cref="Post"/>. When the trace cannot be written any more it goes on emptying rings, so that no target waits.
/// </summary>
internal sealed class DrainLoop : IDisposable
{
    private const ulong CommitPeriodNs = 200_000_000; // a commit may take a while, and at most 250 ms may be lost
    private const int ShortestSleep = 2; // ms, while there are events
    private const int LongestSleep = 20;

    private readonly Recording _recording;
    private readonly Heartbeat _heartbeat;
    private readonly SnapshotTriggers _triggers;
    private readonly ConcurrentQueue<Action<Recording>> _posted = new();
    private readonly List<RegionView> _regions = [];
    private readonly Sleeper _sleeper = new();
    private readonly Thread _thread;
    private ulong _nextCommitNs;
    private volatile bool _stopping;

    /// <summary>A loop that does not run yet.</summary>
    public DrainLoop(Recording recording, Heartbeat heartbeat, SnapshotTriggers triggers)
    {
        _recording = recording;
        _heartbeat = heartbeat;
        _triggers = triggers;
        _thread = new Thread(Run) { IsBackground = true, Name = "drain" };
    }

    /// <summary>The trace could not be written; said once, on the loop's thread.</summary>
    public event Action<TraceWriteException>? WriteFailed;

    /// <summary>A fault of ours ended the loop before its time; the last thing on the loop's thread.</summary>
    public event Action<Exception>? Faulted;

    /// <summary>Called after every commit, on the loop's thread.</summary>
    public event Action? Committed;

    /// <summary>Why the trace cannot be written any more; null while it can. Any thread.</summary>
    public TraceWriteException? Failure { get; private set; }

    /// <summary>Has objects counted at snapshots that are due by time or growth; null: nobody does. Before
    /// <see cref="Start"/>.</summary>
    public DueSnapshots? Due { get; set; }

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Runs something on the loop's thread, in the order of the calls. Any thread.</summary>
    public void Post(Action<Recording> action)
    {
        _posted.Enqueue(action);
        _sleeper.Wake();
    }

    /// <summary>Asks something on the loop's thread and waits for the answer. Any other thread.</summary>
    /// <param name="question">What to ask.</param>
    /// <param name="patience">How long to wait.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <returns>The answer; the type's default when it does not come in time.</returns>
    /// <exception cref="OperationCanceledException">By <paramref name="cancellation"/>.</exception>
    public T Ask<T>(Func<Recording, T> question, TimeSpan patience, CancellationToken cancellation)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(recording => answer.SetResult(question(recording)));
        return answer.Task.Wait((int)patience.TotalMilliseconds, cancellation) ? answer.Task.Result : default!;
    }

    /// <summary>Lets producers of a region wake the loop. On the loop's thread.</summary>
    public void Listen(RegionView region) => _regions.Add(region);

    /// <summary>Forgets a region that is about to be unmapped. On the loop's thread, or after <see cref="Stop"/>.</summary>
    public void Ignore(RegionView region) => _regions.Remove(region);

    /// <summary>Commits and waits until it can be read. On the loop's thread.</summary>
    public void Flush() => GuardWrites(_recording.Flush);

    /// <summary>Takes a snapshot and waits until it can be read: its process may not live long. On the loop's thread.</summary>
    /// <param name="reason">A word of the schema.</param>
    public void TakeSnapshot(string reason)
    {
        Snap(reason);
        Flush();
    }

    /// <summary>Takes the snapshot for which objects are being counted, and waits until it can be read. On the loop's thread.
    /// </summary>
    /// <returns>Its number; null when none is due.</returns>
    public int? TakeDueSnapshot()
    {
        int? number = null;
        GuardWrites(() => number = Due?.Take());
        _triggers.Taken(_recording.LiveBytes);
        Flush();
        return number;
    }

    /// <summary>Ends the loop after what was posted before. Any other thread; the recording is the caller's then.</summary>
    public void Stop()
    {
        _stopping = true;
        _sleeper.Wake();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        _sleeper.Dispose();
    }

    private void Run()
    {
        try
        {
            var sleep = ShortestSleep;
            while (true)
            {
                var stopping = _stopping;
                RunPosted();
                if (stopping)
                {
                    return;
                }
                sleep = Pass() ? ShortestSleep : Math.Min(sleep * 2, LongestSleep);
                _sleeper.Sleep(_regions, sleep, () => _recording.IsBehind);
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Failed();
            Faulted?.Invoke(error);
        }
    }

    private bool Pass()
    {
        var now = _heartbeat.NowNs;
        _recording.Tick(now);
        var any = _recording.DrainOnce();
        if (_recording.TakeSignals())
        {
            TakeSnapshot("signal");
        }
        if (_triggers.Due(now, _recording.LiveBytes) is { } reason && !BeginDue(reason))
        {
            Snap(reason);
        }
        if (now >= _nextCommitNs)
        {
            GuardWrites(_recording.Commit);
            Committed?.Invoke();
            _nextCommitNs = now + CommitPeriodNs;
        }
        return any;
    }

    // Whether it is taken later, with objects. At a peak there is no time to lose.
    private bool BeginDue(string reason)
    {
        var begun = false;
        GuardWrites(() => begun = reason != "peak" && Due?.TryBegin(reason) == true);
        if (begun)
        {
            _triggers.Taken(_recording.LiveBytes);
        }

        return begun;
    }

    private void Snap(string reason)
    {
        GuardWrites(() => _recording.TakeSnapshot(null, reason));
        _triggers.Taken(_recording.LiveBytes);
    }

    private void RunPosted()
    {
        while (_posted.TryDequeue(out var action))
        {
            // What is posted happened since the last pass; the recording takes no time after its clock.
            _recording.Tick(_heartbeat.NowNs);
            action(_recording);
        }
    }

    private void GuardWrites(Action action)
    {
        if (Failure is not null)
        {
            return;
        }
        try
        {
            action();
        }
        catch (TraceWriteException error)
        {
            Failure = error;
            Failed();
            WriteFailed?.Invoke(error);
        }
    }

    // Nothing is gained by recording on.
    private void Failed() => _regions.ForEach(region => region.Control = Control.Stop);
}
