using NativeHeap.Collect.Heap;
using NativeHeap.Collect.Stacks;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>What all processes of a recording share.</summary>
internal sealed class RecordingShared(IMappingSource? mappings)
{
    private const ulong ClockSlackNs = 1_000_000_000;

    /// <summary>Live over all processes.</summary>
    public LiveTotal Live { get; } = new();

    public BucketClock Buckets { get; } = new();

    public StackRegistry Registry { get; } = new();

    public IMappingSource? Mappings => mappings;

    /// <summary>Processes in which .NET was seen, or (not certain) may be, and nobody has been told yet.</summary>
    public Queue<(ProcessId Process, bool IsCertain)> RuntimesSeen { get; } = new();

    /// <summary>Changes in which births are recorded that are not in the trace yet.</summary>
    public List<SamplingRow> Sampling { get; } = [];

    /// <summary>Rows of mappings so far.</summary>
    public int MappingRows { get; set; }

    /// <summary>CLOCK_MONOTONIC of the trace's start.</summary>
    public ulong StartNs { get; set; }

    /// <summary>CLOCK_MONOTONIC as last told.</summary>
    public ulong ClockNs { get; set; }

    /// <summary>Number of the pass of the drain that is under way.</summary>
    public long Pass { get; set; } = StreamSums.History * 2;

    /// <summary>The time of an event as nanoseconds since the trace's start. Targets see the clock before we write it
    /// down here, but not by long.</summary>
    public long EventNs(ulong clockNs) =>
        (long)(Math.Clamp(clockNs, StartNs, Math.Max(StartNs, ClockNs) + ClockSlackNs) - StartNs);

    /// <summary>A time of CLOCK_MONOTONIC as nanoseconds since the trace's start; a time that cannot be is moved to the
    /// nearest that can.</summary>
    public long Relative(ulong clockNs) => (long)(Math.Clamp(clockNs, StartNs, Math.Max(StartNs, ClockNs)) - StartNs);
}
