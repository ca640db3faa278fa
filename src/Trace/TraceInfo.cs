namespace NativeHeap.Trace;

/// <summary>What a trace says about itself; null where it does not say.</summary>
public sealed record TraceInfo
{
    /// <summary>Version of the tool that wrote it.</summary>
    public string? ToolVersion { get; init; }

    /// <summary>Command line of the program that was started, one argument each; empty when unknown.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Host it was recorded on.</summary>
    public string? Host { get; init; }

    /// <summary>Kernel release of that host.</summary>
    public string? Kernel { get; init; }

    /// <summary>Architecture of that host.</summary>
    public string? Machine { get; init; }

    /// <summary>Start in nanoseconds since 1970 (UTC).</summary>
    public long? StartUnixNs { get; init; }

    /// <summary>End in nanoseconds since the start; null while recording, and after a collector that was killed.</summary>
    public long? EndNs { get; init; }

    /// <summary>False when the figures are estimates from samples.</summary>
    public bool Exact { get; init; }

    /// <summary>Mean distance of samples in bytes; null or 0 when exact.</summary>
    public long? SampleBytes { get; init; }

    /// <summary>Width of the cohorts' buckets in nanoseconds.</summary>
    public long? BucketNs { get; init; }

    /// <summary>Every event up to each process's last moment was received.</summary>
    public bool Complete { get; init; }

    /// <summary>Anonymous memory that programs mapped themselves was recorded, too.</summary>
    public bool RecordsMappings { get; init; }

    /// <summary>Events known to be missing.</summary>
    public long LostEvents { get; init; }

    /// <summary>The moment of most live bytes over all processes; null when not written yet.</summary>
    public Model.Peak? Peak { get; init; }

    /// <summary>The recording ended in order, so that names are in the trace.</summary>
    public bool Closed => EndNs is not null;
}
