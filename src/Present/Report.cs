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

    /// <summary>What the programs have mapped themselves, apart from <see cref="Totals"/>; null: that was not recorded.</summary>
    public required MappedTotals? Mapped { get; init; }

    /// <summary>Which births were recorded when, where not all were.</summary>
    public IReadOnlyList<SamplingRow> Sampling { get; init; } = [];

    /// <summary>From when on figures are estimates; null: from the beginning, or never.</summary>
    public long? SampledFromNs { get; init; }

    /// <summary>Where the resident memory of the process that was started was; null when nobody looked.</summary>
    public required Ledger? Ledger { get; init; }

    /// <summary>At least how many bytes of its malloc heap were freed and kept by malloc; null: not known.</summary>
    public required long? KeptByMalloc { get; init; }

    /// <summary>Requested bytes of its live blocks that were never touched; null: not known.</summary>
    public required long? Untouched { get; init; }

    /// <summary>What its garbage collector did; null: it runs no .NET, or nobody listened.</summary>
    public required GcUse? Collections { get; init; }

    /// <summary>The stacks.</summary>
    public required StackAnswer Answer { get; init; }

    /// <summary>All stacks of the trace by number.</summary>
    public required Func<StackTree> Tree { get; init; }

    /// <summary>Asks a trace.</summary>
    /// <exception cref="ToolException">The trace cannot be read, or the question makes no sense for it.</exception>
    public static Report Ask(Profile profile, StackQuestion question) => new()
    {
        Path = profile.Path,
        Info = profile.Info,
        Processes = profile.Processes,
        Pid = question.Pid,
        Totals = profile.Totals(question.Pid),
        Mapped = profile.Mapped(question.Pid),
        Sampling = profile.Sampling(question.Pid),
        SampledFromNs = profile.SampledFromNs,
        Ledger = profile.Ledger,
        KeptByMalloc = profile.KeptByMalloc,
        Untouched = profile.Untouched,
        Collections = profile.Collections,
        Answer = profile.Ask(question),
        Tree = () => profile.Stacks,
    };
}
