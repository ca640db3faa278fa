using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Snapshots that are due by time or growth, with objects counted by type: of the largest process, by another process of
/// ours (<see cref="IObjectCounter"/>), which asks for the snapshot when it has stopped that process, so that both are of
/// one moment. Until then what the snapshot would keep is set aside, for when nobody comes to ask. On the drain's thread.
/// </summary>
internal sealed class DueSnapshots : IDisposable
{
    private static readonly TimeSpan CountPatience = TimeSpan.FromSeconds(10); // once the process runs again

    private readonly IObjectCounter _counter;
    private readonly Recording _recording;
    private readonly Func<(ProcessId Id, int Pid)?> _largest;
    private readonly Action<Action> _post;
    private readonly CancellationTokenSource _cancellation = new();
    private Task<string?>? _count;
    private ProcessId _process;
    private int _snapshot;
    private SnapshotRows? _setAside; // until the snapshot is taken
    private bool _saidWhyNot;

    /// <param name="counter">Counts.</param>
    /// <param name="recording">Takes snapshots.</param>
    /// <param name="largest">The process with most resident memory; null: there is none.</param>
    /// <param name="post">Runs something on the drain's thread.</param>
    public DueSnapshots(
        IObjectCounter counter, Recording recording, Func<(ProcessId Id, int Pid)?> largest, Action<Action> post)
    {
        _counter = counter;
        _recording = recording;
        _largest = largest;
        _post = post;
    }

    /// <summary>Has objects counted; false: they cannot be, or others are still being counted, and the snapshot is to be taken
    /// without.</summary>
    /// <param name="reason">A word of the schema.</param>
    public bool TryBegin(string reason)
    {
        if (_count is not null || _largest() is not var (process, pid)
            || _counter.TryBegin(pid, _cancellation.Token) is not { } count)
        {
            return false;
        }

        _count = count;
        _process = process;
        _setAside = _recording.MeasureSnapshot(reason);
        _snapshot = _setAside.Snapshot.Number;
        count.ContinueWith(_ => _post(End), TaskScheduler.Default);
        return true;
    }

    /// <summary>Takes the snapshot: who counts has stopped the process.</summary>
    /// <returns>Its number; null when none is due.</returns>
    public int? Take()
    {
        if (_setAside is null)
        {
            return null;
        }

        _snapshot = _recording.TakeAgain(_setAside).Number;
        _setAside = null;
        return _snapshot;
    }

    /// <summary>The recording ends: waits for a count whose process runs again, and breaks off any other.</summary>
    public void Finish()
    {
        if (_count is not null && _setAside is null)
        {
            _count.Wait(CountPatience);
        }

        BreakOff();
        End();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        BreakOff();
        _cancellation.Dispose();
    }

    private void BreakOff()
    {
        _cancellation.Cancel();
        _count?.Wait();
    }

    private void End()
    {
        if (_count is not { IsCompleted: true } count)
        {
            return; // Finish was before us
        }

        _count = null;
        if (_setAside is not null)
        {
            _recording.Keep(_setAside);
            _setAside = null;
        }

        if (count.Result is { } problem && !_saidWhyNot)
        {
            _recording.Note(_process, $"objects were not counted at snapshot {_snapshot}: {problem}");
            _saidWhyNot = true;
        }
    }
}
