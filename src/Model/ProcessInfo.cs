namespace NativeHeap.Model;

/// <summary>How a process image came to be.</summary>
public enum ProcessOrigin
{
    /// <summary>Started by us.</summary>
    Run,

    /// <summary>Forked.</summary>
    Fork,

    /// <summary>The image after an exec of the same pid.</summary>
    Exec,

    /// <summary>A new process that introduced itself (posix_spawn, vfork and exec).</summary>
    Spawn,

    /// <summary>It was there before its recording began: it has blocks that nobody saw born.</summary>
    Attach,
}

/// <summary>How a process image ended.</summary>
public enum ProcessEnding
{
    /// <summary>By exit, with a code where it is known.</summary>
    Exit,

    /// <summary>By a signal.</summary>
    Signal,

    /// <summary>Replaced by another image.</summary>
    Exec,

    /// <summary>It is gone; nobody told how.</summary>
    Unknown,

    /// <summary>Its recording ended, and it went on.</summary>
    Detached,
}

/// <summary>A process image of a trace.</summary>
public sealed record ProcessInfo
{
    /// <summary>Its row.</summary>
    public required ProcessId Id { get; init; }

    /// <summary>Its pid, in its own pid namespace.</summary>
    public required int Pid { get; init; }

    /// <summary>From 0, one more with each exec of the pid.</summary>
    public int Image { get; init; }

    /// <summary>The parent's row; null when the parent is not in the trace.</summary>
    public ProcessId? ParentId { get; init; }

    /// <summary>The parent's pid; null when unknown.</summary>
    public int? ParentPid { get; init; }

    /// <summary>How it came to be.</summary>
    public ProcessOrigin Origin { get; init; }

    /// <summary>Arguments joined by spaces; null when unknown.</summary>
    public string? Command { get; init; }

    /// <summary>Path of the executable; null when unknown.</summary>
    public string? Executable { get; init; }

    /// <summary>First moment, nanoseconds since the trace's start.</summary>
    public long StartNs { get; init; }

    /// <summary>Last moment; null while it lives, or lived when the recording broke off.</summary>
    public long? EndNs { get; init; }

    /// <summary>How it ended; null as for <see cref="EndNs"/>.</summary>
    public ProcessEnding? Ending { get; init; }

    /// <summary>Exit code; null when it did not exit or nobody told.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Number of the signal that ended it; null otherwise.</summary>
    public int? Signal { get; init; }

    /// <summary>Every event up to its last moment was received.</summary>
    public bool Complete { get; init; }

    /// <summary>Why recording ended early and the like, in words; null when there is nothing to say.</summary>
    public string? Note { get; init; }

    /// <summary>What it allocated.</summary>
    public required Totals Totals { get; init; }
}
