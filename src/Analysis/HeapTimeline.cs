using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>How the heap grew, in few enough points to draw; the most within each point's time is kept.</summary>
public sealed record HeapTimeline
{
    /// <summary>The last process's last moment, nanoseconds since the trace's start.</summary>
    public required long EndNs { get; init; }

    /// <summary>The sums over processes, by rising time.</summary>
    public required IReadOnlyList<TimelinePoint> Points { get; init; }

    /// <summary>The times at which <see cref="Stacks"/> and <see cref="OtherBytes"/> have a value, rising.</summary>
    public required IReadOnlyList<long> StackTimesNs { get; init; }

    /// <summary>The costliest stacks, costliest first.</summary>
    public required IReadOnlyList<StackSeries> Stacks { get; init; }

    /// <summary>Live bytes of all other stacks at each of <see cref="StackTimesNs"/>.</summary>
    public required IReadOnlyList<long> OtherBytes { get; init; }

    /// <summary>The trace's peak, or the process's when one was asked for.</summary>
    public required Peak Peak { get; init; }
}

/// <summary>The state of all processes at one time.</summary>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
/// <param name="LiveBytes">Live bytes then.</param>
/// <param name="LivePeakBytes">
/// The most live bytes since the point before. With several processes an upper bound: the most of each need not have
/// come at once.
/// </param>
/// <param name="RssBytes">Resident set size; null when nobody has looked yet.</param>
/// <param name="AllocatedBytes">Bytes allocated up to then.</param>
public readonly record struct TimelinePoint(
    long TimeNs, long LiveBytes, long LivePeakBytes, long? RssBytes, long AllocatedBytes = 0);

/// <summary>Live bytes of one stack over time.</summary>
/// <param name="Stack">The stack.</param>
/// <param name="Bytes">Live bytes at each of <see cref="HeapTimeline.StackTimesNs"/>.</param>
public sealed record StackSeries(CallStack Stack, IReadOnlyList<long> Bytes);

/// <summary>What a <see cref="HeapTimeline"/> should show.</summary>
public sealed record TimelineQuestion
{
    /// <summary>Only the processes of this pid; null: all.</summary>
    public int? Pid { get; init; }

    /// <summary>How many stacks get a series of their own; 0: no stacks are asked about, which is much cheaper.</summary>
    public int Stacks { get; init; } = 8;

    /// <summary>About the most points of a series.</summary>
    public int Points { get; init; } = 1000;
}
