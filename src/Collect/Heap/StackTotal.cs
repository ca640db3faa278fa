using System.Runtime.InteropServices;

namespace NativeHeap.Collect.Heap;

/// <summary>What one leaf of the calling-context tree cost in one process: the blocks of its that were recorded at one
/// rate.</summary>
internal struct StackTotal
{
    /// <summary>No cohort: <see cref="ShutCohort"/> of a total that has counted none.</summary>
    public const uint NoCohort = uint.MaxValue;

    public long Allocations;
    public long AllocatedBytes;
    public long Frees;
    public long FreedBytes;

    /// <summary>Epochs of the last change; the share at a peak is kept only when something changed after it.</summary>
    public ulong ProcessEpoch;
    public ulong TraceEpoch;

    /// <summary>What nearly every event finds as the one before left it.</summary>
    public StackMarks Marks;

    /// <summary>Bucket of the last birth, and the allocations before those in it that the cohorts do not have yet.</summary>
    public uint OpenBucket;
    public long OpenFromBlocks;
    public long OpenFromBytes;

    /// <summary>Blocks of one cohort that died since they were carried over: <see cref="ProcessHeap.CohortKey"/> without the
    /// stack.</summary>
    public uint ShutCohort;
    public SmallSum Shut;

    /// <summary>Histogram buckets used last, and what they got since they were carried over.</summary>
    public RecentBuckets Sizes;
    public RecentBuckets Lifetimes;

    /// <summary>Of a stack that several threads allocate by, what the last of them allocated since it was carried over, and
    /// what was freed of the last one's.</summary>
    public RecentShare Born;
    public RecentShare Freed;

    public long Temporary;
    public long TemporaryBytes;
    public long ProcessPeakBlocks;
    public long ProcessPeakBytes;
    public long TracePeakBlocks;
    public long TracePeakBytes;

    public uint Node;

    /// <summary>When it allocated first, milliseconds since the trace's start.</summary>
    public uint FirstMs;

    /// <summary>The trace's stack, 0 until resolved.</summary>
    public int StackId;

    /// <summary>Index of the next total of the same stack (two nodes may be one stack), -1 at the end.</summary>
    public int NextTwin;

    /// <summary>Index of the first total of the same stack, its own when it is that.</summary>
    public int FirstTwin;

    public readonly long LiveBlocks => Allocations - Frees;

    public readonly long LiveBytes => AllocatedBytes - FreedBytes;

    /// <summary>Call before live changes.</summary>
    public void BeforeChange(ulong processEpoch, ulong traceEpoch)
    {
        if (ProcessEpoch != processEpoch)
        {
            ProcessEpoch = processEpoch;
            ProcessPeakBlocks = LiveBlocks;
            ProcessPeakBytes = LiveBytes;
        }

        if (TraceEpoch != traceEpoch)
        {
            FreezeTraceShare(traceEpoch);
        }
    }

    /// <summary>Keeps what is live now as the share in the trace's peak of that epoch.</summary>
    public void FreezeTraceShare(ulong traceEpoch)
    {
        TraceEpoch = traceEpoch;
        TracePeakBlocks = LiveBlocks;
        TracePeakBytes = LiveBytes;
    }

    /// <summary>Live at the process's peak: kept when something changed since, else what is live now.</summary>
    public readonly (long Blocks, long Bytes) AtProcessPeak(ulong epoch) =>
        ProcessEpoch == epoch ? (ProcessPeakBlocks, ProcessPeakBytes) : (LiveBlocks, LiveBytes);

    /// <summary>Live at the trace's peak.</summary>
    /// <param name="epoch">The trace's.</param>
    /// <param name="ended">The process is gone: at a peak after its end it had nothing.</param>
    public readonly (long Blocks, long Bytes) AtTracePeak(ulong epoch, bool ended) =>
        TraceEpoch == epoch ? (TracePeakBlocks, TracePeakBytes) : ended ? (0, 0) : (LiveBlocks, LiveBytes);
}

/// <summary>What one thread did by a stack.</summary>
internal struct RecentShare
{
    public SmallSum Sum;
    public ushort Thread;
}

/// <summary>What an event asks of a stack before it counts, in one word, so that one comparison answers it.</summary>
[StructLayout(LayoutKind.Explicit)]
internal struct StackMarks
{
    private const byte DirtyFlag = 1;
    private const byte SharedFlag = 2;
    private const uint DirtyWord = (uint)DirtyFlag << 24;

    /// <summary>All of them.</summary>
    [FieldOffset(0)]
    public uint Word;

    /// <summary>Number of the only thread that allocated, until it is <see cref="Shared"/>.</summary>
    [FieldOffset(0)]
    public ushort Thread;

    /// <summary>Number of the rate at which its blocks were sampled (<see cref="SampleRates"/>); 0: each stands for
    /// itself.</summary>
    [FieldOffset(2)]
    public byte Rate;

    [FieldOffset(3)]
    private byte _flags;

    /// <summary>Its row is among those to be written.</summary>
    public bool Dirty
    {
        readonly get => (_flags & DirtyFlag) != 0;
        set => _flags = (byte)((_flags & ~DirtyFlag) | (value ? DirtyFlag : 0));
    }

    /// <summary>Several threads allocated: their shares are counted one by one from then on.</summary>
    public bool Shared
    {
        readonly get => (_flags & SharedFlag) != 0;
        set => _flags = (byte)((_flags & ~SharedFlag) | (value ? SharedFlag : 0));
    }

    /// <summary>The word of a stack to be written, by which that thread alone allocated, each block standing for
    /// itself.</summary>
    public static uint Usual(ushort thread) => DirtyWord | thread;

    /// <summary>The same, whoever the thread is.</summary>
    public readonly bool IsUsualForDeath => Word >> 16 == DirtyWord >> 16;
}
