namespace NativeHeap.Collect.Heap;

/// <summary>What one leaf of the calling-context tree cost in one process: the blocks of its that were recorded at one
/// rate.</summary>
internal struct StackTotal
{
    public long Allocations;
    public long AllocatedBytes;
    public long Frees;
    public long FreedBytes;

    /// <summary>Epochs of the last change; the share at a peak is kept only when something changed after it.</summary>
    public ulong ProcessEpoch;
    public ulong TraceEpoch;

    /// <summary>Blocks born in <see cref="OpenBucket"/> that are still alive, those that died in it, since the last
    /// time these four were carried over to the cohorts.</summary>
    public long OpenBlocks;
    public long OpenBytes;
    public long ShutBlocks;
    public long ShutBytes;
    public uint OpenBucket;

    /// <summary>The histogram buckets used last, and what they got since they were carried over.</summary>
    public byte SizeBucket;
    public byte LifetimeBucket;
    public bool Dirty;

    /// <summary>Number of the rate at which its blocks were sampled (<see cref="SampleRates"/>); 0: each stands for itself.</summary>
    public byte Rate;

    /// <summary>Several threads allocated: their shares are counted one by one from then on.</summary>
    public bool Shared;

    /// <summary>Number of the only thread that allocated, until it is <see cref="Shared"/>.</summary>
    public ushort Thread;
    public long SizeBlocks;
    public long SizeBytes;
    public long LifetimeBlocks;
    public long LifetimeBytes;

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
