using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>What a stack cost in a process, over its life; bytes are requested bytes.</summary>
/// <param name="Process">The process.</param>
/// <param name="Stack">The stack.</param>
/// <param name="Allocations">Allocations ever.</param>
/// <param name="AllocatedBytes">Their bytes.</param>
/// <param name="Frees">How many of them were freed; never more than <paramref name="Allocations"/>.</param>
/// <param name="FreedBytes">Their bytes.</param>
/// <param name="Temporary">Freed with no other allocation of the thread in between.</param>
/// <param name="TemporaryBytes">Their bytes.</param>
/// <param name="PeakBlocks">Live at the trace's peak.</param>
/// <param name="PeakBytes">Their bytes.</param>
/// <param name="ProcessPeakBlocks">Live at the process's own peak.</param>
/// <param name="ProcessPeakBytes">Their bytes.</param>
/// <param name="Thread">Row of the only thread that allocated; null: several did, or nobody noted it.</param>
public readonly record struct StackTotalRow(
    ProcessId Process,
    StackId Stack,
    long Allocations,
    long AllocatedBytes,
    long Frees,
    long FreedBytes,
    long Temporary,
    long TemporaryBytes,
    long PeakBlocks,
    long PeakBytes,
    long ProcessPeakBlocks,
    long ProcessPeakBytes,
    int? Thread = null) : IComparable<StackTotalRow>
{
    /// <summary>In the order of the table: by process and stack.</summary>
    public int CompareTo(StackTotalRow other) =>
        Process != other.Process ? Process.Value.CompareTo(other.Process.Value) : Stack.Value.CompareTo(other.Stack.Value);
}

/// <summary>What a stack mapped in a process, over its life. A mapping is over when its last page is.</summary>
/// <param name="Process">The process.</param>
/// <param name="Stack">The stack.</param>
/// <param name="Mappings">Mappings ever.</param>
/// <param name="MappedBytes">Their bytes, whole pages.</param>
/// <param name="Unmappings">How many of them are over; never more than <paramref name="Mappings"/>.</param>
/// <param name="UnmappedBytes">Bytes that are over, also of those that are left in part.</param>
/// <param name="PeakMappings">Mapped at the process's peak of mapped bytes.</param>
/// <param name="PeakBytes">Their bytes.</param>
public readonly record struct MappedTotalRow(
    ProcessId Process,
    StackId Stack,
    long Mappings,
    long MappedBytes,
    long Unmappings,
    long UnmappedBytes,
    long PeakMappings,
    long PeakBytes);

/// <summary>When a process had most bytes mapped.</summary>
/// <param name="Process">The process.</param>
/// <param name="Mappings">How many mappings it had then.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
public readonly record struct MappedPeakRow(ProcessId Process, long Mappings, long Bytes, long TimeNs);

/// <summary>A thread's share in a stack that several threads allocated by.</summary>
/// <param name="Thread">Row of the thread.</param>
/// <param name="Stack">The stack.</param>
/// <param name="Allocations">Allocations by the thread.</param>
/// <param name="AllocatedBytes">Their bytes.</param>
/// <param name="Frees">How many of them were freed, by whichever thread.</param>
/// <param name="FreedBytes">Their bytes.</param>
public readonly record struct ThreadShareRow(
    int Thread, StackId Stack, long Allocations, long AllocatedBytes, long Frees, long FreedBytes) : IComparable<ThreadShareRow>
{
    /// <summary>In the order of the table: by thread and stack.</summary>
    public int CompareTo(ThreadShareRow other) =>
        Thread != other.Thread ? Thread.CompareTo(other.Thread) : Stack.Value.CompareTo(other.Stack.Value);
}

/// <summary>Blocks of one stack that were born in one bucket of time and died in one.</summary>
/// <param name="Process">The process.</param>
/// <param name="Stack">The stack.</param>
/// <param name="Birth">Bucket of birth: time divided by <see cref="TraceInfo.BucketNs"/>.</param>
/// <param name="Death">Bucket of death, not before birth; <see cref="NeverFreed"/> for blocks that outlived all.</param>
/// <param name="Blocks">How many.</param>
/// <param name="Bytes">Their requested bytes.</param>
public readonly record struct CohortRow(
    ProcessId Process, StackId Stack, int Birth, int Death, long Blocks, long Bytes) : IComparable<CohortRow>
{
    /// <summary>The highest bucket that a trace may hold: 1,024 are kept, more in passing.</summary>
    public const int MaxBucket = 1 << 20;

    /// <summary>The death of blocks that were alive at their process's end.</summary>
    public const int NeverFreed = -1;

    /// <summary>In the order of the table: by process, stack, birth and death.</summary>
    public int CompareTo(CohortRow other) =>
        Process != other.Process ? Process.Value.CompareTo(other.Process.Value)
        : Stack != other.Stack ? Stack.Value.CompareTo(other.Stack.Value)
        : Birth != other.Birth ? Birth.CompareTo(other.Birth)
        : Death.CompareTo(other.Death);
}

/// <summary>A point of the recording that can be asked for by number or name.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Name">Null when it has only its number.</param>
/// <param name="Reason"><c>asked</c>, <c>interval</c> or <c>growth</c>.</param>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
public sealed record Snapshot(int Number, string? Name, string Reason, long TimeNs);

/// <summary>A heap-check.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Process">The process that was looked at.</param>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
/// <param name="Level"><c>normal</c>, <c>strict</c>, <c>draconian</c> or <c>asked</c>.</param>
/// <param name="HeldNs">How long the process stood still.</param>
/// <param name="IsComplete">False: nothing is known but what was not freed.</param>
/// <param name="Graph">What was found; read by whoever knows the format.</param>
public sealed record LeakCheckRow(
    int Number, ProcessId Process, long TimeNs, string Level, long HeldNs, bool IsComplete, ReadOnlyMemory<byte> Graph)
{
    /// <summary>What the program itself did not want to be reported, as it said it; null: nothing.</summary>
    public string? Suppressions { get; init; }
}

/// <summary>What a stack had alive at a snapshot.</summary>
/// <param name="Process">The process.</param>
/// <param name="Stack">The stack.</param>
/// <param name="Blocks">Live blocks.</param>
/// <param name="Bytes">Their requested bytes.</param>
public readonly record struct SnapshotRow(ProcessId Process, StackId Stack, long Blocks, long Bytes);

/// <summary>A process's state at the end of a bucket of time; counters run from its start.</summary>
/// <param name="Process">The process.</param>
/// <param name="TimeNs">The bucket's start in nanoseconds since the trace's start, rising within a process.</param>
/// <param name="LiveBlocks">Live blocks at the bucket's end.</param>
/// <param name="LiveBytes">Live bytes at the bucket's end.</param>
/// <param name="LivePeakBytes">Most live bytes within the bucket.</param>
/// <param name="Allocations">Allocations so far.</param>
/// <param name="AllocatedBytes">Their bytes.</param>
/// <param name="RssBytes">Resident set size; null when not looked at.</param>
public readonly record struct TimelineRow(
    ProcessId Process,
    long TimeNs,
    long LiveBlocks,
    long LiveBytes,
    long LivePeakBytes,
    long Allocations,
    long AllocatedBytes,
    long? RssBytes);

/// <summary>Blocks of a stack in one power of two of size or lifetime.</summary>
/// <param name="Process">The process.</param>
/// <param name="Stack">The stack.</param>
/// <param name="Bucket">Bit length of the size in bytes, or of the lifetime in microseconds: 0 to 64.</param>
/// <param name="Blocks">How many.</param>
/// <param name="Bytes">Their requested bytes.</param>
public readonly record struct HistogramRow(
    ProcessId Process, StackId Stack, int Bucket, long Blocks, long Bytes) : IComparable<HistogramRow>
{
    /// <summary>In the order of the table: by process, stack and bucket.</summary>
    public int CompareTo(HistogramRow other) =>
        Process != other.Process ? Process.Value.CompareTo(other.Process.Value)
        : Stack != other.Stack ? Stack.Value.CompareTo(other.Stack.Value)
        : Bucket.CompareTo(other.Bucket);
}

/// <summary>What a histogram counts by.</summary>
public enum HistogramKind
{
    /// <summary>Requested size in bytes.</summary>
    Size,

    /// <summary>Time from birth to death in microseconds, freed blocks only.</summary>
    Lifetime,
}

/// <summary>One part of a process's resident memory at one look; <c>rss</c> is all of it, <c>unexplained</c> the rest.</summary>
/// <param name="Process">The process.</param>
/// <param name="TimeNs">When, nanoseconds since the trace's start.</param>
/// <param name="Part">The part's name.</param>
/// <param name="Bytes">Its bytes; negative only for what is unexplained.</param>
public readonly record struct LedgerRow(ProcessId Process, long TimeNs, string Part, long Bytes);

/// <summary>Which births of a process were recorded from a moment on.</summary>
/// <param name="Process">The process.</param>
/// <param name="TimeNs">When, nanoseconds since the trace's start.</param>
/// <param name="SampleBytes">Mean bytes between samples; 0: all births.</param>
/// <param name="Reason">One of <see cref="SamplingReasons"/>, or what a later version knows.</param>
public readonly record struct SamplingRow(ProcessId Process, long TimeNs, long SampleBytes, string Reason);

/// <summary>Why births of a process were recorded as they were.</summary>
public static class SamplingReasons
{
    /// <summary>It began so.</summary>
    public const string Start = "start";

    /// <summary>Somebody wanted it.</summary>
    public const string Asked = "asked";

    /// <summary>To record all births would have cost more than was allowed.</summary>
    public const string Overhead = "overhead";
}
