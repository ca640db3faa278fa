namespace NativeHeap.Collect.Sessions;

/// <summary>How a command is recorded.</summary>
public sealed record SessionOptions
{
    /// <summary>Whether the processes that the command starts are recorded too.</summary>
    public bool FollowChildren { get; init; } = true;

    /// <summary>Whether the recording goes on until the last of them has ended.</summary>
    public bool WaitForChildren { get; init; }

    /// <summary>Whether the command starts .NET: its runtime then waits at its start until its methods are being told.</summary>
    public bool ExpectsRuntime { get; init; }

    /// <summary>Nanoseconds between snapshots; null: none by time.</summary>
    public long? SnapshotIntervalNs { get; init; }

    /// <summary>A snapshot each time so many bytes more are live; null: none by growth.</summary>
    public long? SnapshotGrowthBytes { get; init; }
}
