using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Present;

/// <summary>All that a report says, in whatever form.</summary>
public sealed record Report
{
    /// <summary>The file, as the user named it.</summary>
    public required string Path { get; init; }

    /// <summary>What the trace says about itself.</summary>
    public required TraceInfo Info { get; init; }

    /// <summary>All its processes; the first is the one that was started.</summary>
    public required IReadOnlyList<ProcessInfo> Processes { get; init; }

    /// <summary>The pid that was asked for; null: all.</summary>
    public required int? Pid { get; init; }

    /// <summary>Totals over all processes, or those of the pid.</summary>
    public required Totals Totals { get; init; }

    /// <summary>Where the resident memory of the process that was started was; null when nobody looked.</summary>
    public required Ledger? Ledger { get; init; }

    /// <summary>The stacks.</summary>
    public required StackAnswer Answer { get; init; }

    /// <summary>Asks a trace.</summary>
    /// <exception cref="ToolException">The trace cannot be read, or the question makes no sense for it.</exception>
    public static Report Ask(Profile profile, StackQuestion question) => new()
    {
        Path = profile.Path,
        Info = profile.Info,
        Processes = profile.Processes,
        Pid = question.Pid,
        Totals = profile.Totals(question.Pid),
        Ledger = profile.Ledger,
        Answer = profile.Ask(question),
    };
}
