namespace NativeHeap.Model;

/// <summary>
/// What a process, or all of a trace, allocated. A successful realloc counts one allocation and one free, a failed one
/// neither; bytes are requested bytes; times are nanoseconds since the trace's start.
/// </summary>
public sealed record Totals
{
    /// <summary>Calls that gave a new block.</summary>
    public long Allocations { get; init; }

    /// <summary>Blocks released.</summary>
    public long Frees { get; init; }

    /// <summary>Bytes of all allocations.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>Bytes of all frees.</summary>
    public long FreedBytes { get; init; }

    /// <summary>Blocks alive at the process's last moment.</summary>
    public long LiveBlocks { get; init; }

    /// <summary>Bytes alive at the process's last moment.</summary>
    public long LiveBytes { get; init; }

    /// <summary>When bytes were the most.</summary>
    public Peak Peak { get; init; } = new();

    /// <summary>Allocations freed by the same thread with no other allocation of that thread in between.</summary>
    public long TemporaryAllocations { get; init; }

    /// <summary>Frees of blocks that a forked child got from its parent; not among <see cref="Frees"/>.</summary>
    public long InheritedFrees { get; init; }

    /// <summary>Frees of blocks from before the recording of a process that was attached to; not among
    /// <see cref="Frees"/>. Nobody counts them in a sampled recording.</summary>
    public long EarlierFrees { get; init; }

    /// <summary>Frees of blocks never seen born; not among <see cref="Frees"/>.</summary>
    public long ForeignFrees { get; init; }

    /// <summary>Calls that passed unrecorded.</summary>
    public long MissedCalls { get; init; }

    /// <summary>From the start to the end, or to the last commit where there was no end.</summary>
    public long DurationNs { get; init; }
}

/// <summary>The moment of most live bytes.</summary>
public sealed record Peak
{
    /// <summary>The best figure: exact when <see cref="IsExact"/>.</summary>
    public long Bytes { get; init; }

    /// <summary>Blocks alive then.</summary>
    public long Blocks { get; init; }

    /// <summary>Nanoseconds since the trace's start.</summary>
    public long TimeNs { get; init; }

    /// <summary>The true peak is not below this.</summary>
    public long LowBytes { get; init; }

    /// <summary>The true peak is not above this.</summary>
    public long HighBytes { get; init; }

    /// <summary>Events of several threads have no common order, so that a peak may be known only within bounds.</summary>
    public bool IsExact => LowBytes == HighBytes;
}
