using NativeHeap.Analysis;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>
/// The recording of a process that is looked at: it knows requested sizes and who allocated what. It is asked while the
/// process stands still, by a snapshot of it.
/// </summary>
internal sealed class RecordedHeap : IDisposable
{
    private readonly int _pid;
    private readonly string _trace;
    private Profile? _profile;

    /// <param name="pid">A process that is being recorded.</param>
    /// <param name="trace">Where to.</param>
    public RecordedHeap(int pid, string trace)
    {
        _pid = pid;
        _trace = trace;
    }

    /// <summary>The trace.</summary>
    public string TracePath => _trace;

    /// <summary>What the snapshot keeps; valid after <see cref="Take"/>.</summary>
    public SnapshotHeap? Snapshot { get; private set; }

    /// <summary>The recording of a process; null when nobody records it.</summary>
    public static RecordedHeap? Find(int pid)
    {
        try
        {
            return new RecordedHeap(pid, ControlClient.TracePath(pid));
        }
        catch (ToolException error) when (error.ExitCode == ExitCodes.Target)
        {
            return null;
        }
    }

    /// <summary>Has a snapshot taken and reads its blocks.</summary>
    /// <param name="name">The snapshot's; null: it gets a number alone.</param>
    /// <returns>The blocks are the caller's.</returns>
    /// <exception cref="ToolException">It cannot be taken, or the trace cannot be read.</exception>
    public RecordedBlocks Take(string? name) => Read(ControlClient.TakeSnapshot(_pid, name));

    /// <summary>Has the snapshot taken for which the collector wants objects counted, and reads its blocks.</summary>
    /// <returns>The blocks are the caller's.</returns>
    /// <exception cref="ToolException">None is due, or the trace cannot be read.</exception>
    public RecordedBlocks TakeDue() => Read(ControlClient.TakeDueSnapshot(_pid));

    /// <inheritdoc/>
    public void Dispose() => _profile?.Dispose();

    private RecordedBlocks Read(TakenSnapshot taken)
    {
        _profile = Profile.Open(_trace, live: new LiveCode(_pid));
        Snapshot = _profile.SnapshotHeap(taken.Name, _pid);
        return new RecordedBlocks(Snapshot.Blocks(), taken.ListsAll);
    }
}
