namespace NativeHeap.Collect.Sessions;

/// <summary>When snapshots are taken that nobody asks for. Each null, or 0: not for that reason.</summary>
public sealed record SnapshotOptions
{
    /// <summary>Nanoseconds between two.</summary>
    public long? IntervalNs { get; init; }

    /// <summary>Each time so many bytes more are live.</summary>
    public long? GrowthBytes { get; init; }

    /// <summary>Each time so many hundredths more are live than at any snapshot before.</summary>
    public int? PeakPercent { get; init; }

    /// <summary>When so much of a process is resident.</summary>
    public long? ResidentBytes { get; init; }

    /// <summary>When so many hundredths of a control group's memory limit are used.</summary>
    public int? LimitPercent { get; init; }

    /// <summary>When a process gets that signal.</summary>
    public int Signal { get; init; }

    /// <summary>Counts objects at those that are due by time or growth; null: nobody does.</summary>
    public IObjectCounter? Counter { get; init; }

    /// <summary>Whether anybody has to look at processes' memory for it.</summary>
    internal bool WatchMemory => ResidentBytes is not null || LimitPercent is not null;
}
