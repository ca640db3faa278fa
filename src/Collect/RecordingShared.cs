using NativeHeap.Collect.Heap;
using NativeHeap.Collect.Stacks;

namespace NativeHeap.Collect;

/// <summary>What all processes of a recording share.</summary>
internal sealed class RecordingShared(IMappingSource? mappings)
{
    /// <summary>Live over all processes.</summary>
    public LiveTotal Live { get; } = new();

    public BucketClock Buckets { get; } = new();

    public StackRegistry Registry { get; } = new();

    public IMappingSource? Mappings => mappings;

    /// <summary>Rows of mappings so far.</summary>
    public int MappingRows { get; set; }

    /// <summary>CLOCK_MONOTONIC of the trace's start.</summary>
    public ulong StartNs { get; set; }

    /// <summary>CLOCK_MONOTONIC as last written into the regions: no event can be later.</summary>
    public ulong ClockNs { get; set; }

    /// <summary>Number of the pass of the drain that is under way.</summary>
    public long Pass { get; set; } = StreamSums.History * 2;

    /// <summary>A time of CLOCK_MONOTONIC as nanoseconds since the trace's start; a time that cannot be is moved to the
    /// nearest that can.</summary>
    public long Relative(ulong clockNs) => (long)(Math.Clamp(clockNs, StartNs, Math.Max(StartNs, ClockNs)) - StartNs);
}
