using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>A question for the stacks of a trace. Times are nanoseconds since the trace's start.</summary>
public sealed record StackQuestion
{
    /// <summary>What to weigh by; null: live, or what <see cref="Moment"/> asks for.</summary>
    public StackMeasure? By { get; init; }

    /// <summary>A snapshot's name or number, <c>peak</c> or <c>end</c>; null: the end.</summary>
    public string? Moment { get; init; }

    /// <summary>What was alive then; answered at the nearest edge of a bucket.</summary>
    public long? AtNs { get; init; }

    /// <summary>Only what was allocated from then on; widened to the bucket's start.</summary>
    public long? FromNs { get; init; }

    /// <summary>Only what was allocated before, and what of it was alive then; widened to the bucket's end.</summary>
    public long? ToNs { get; init; }

    /// <summary>Only the processes of this pid; null: all.</summary>
    public int? Pid { get; init; }

    /// <summary>Only what threads of this tid allocated; null: all.</summary>
    public int? Tid { get; init; }

    /// <summary>Only stacks that run through this module, by its file name or path; null: all.</summary>
    public string? Module { get; init; }

    /// <summary>Only blocks of these sizes; null: all. Goes with what was allocated ever.</summary>
    public BucketRange? Sizes { get; init; }

    /// <summary>Only blocks that lived so long in microseconds and were freed; null: all.</summary>
    public BucketRange? LifetimesUs { get; init; }

    /// <summary>Of memory that the programs have mapped themselves, not of the heap.</summary>
    public bool OfMappings { get; init; }

    /// <summary>The most stacks to give; null: all.</summary>
    public int? Top { get; init; }

    /// <summary>True when a range of time is asked about.</summary>
    public bool HasRange => FromNs is not null || ToNs is not null;

    /// <summary>The measure after all defaults.</summary>
    /// <exception cref="ToolException">The parts of the question contradict each other (exit code 2).</exception>
    internal StackMeasure Measure()
    {
        var measure = By ?? Default();
        CheckFilters(measure);
        if (Moment is not null and not TraceReference.End)
        {
            var fits = Moment == TraceReference.Peak ? StackMeasure.Peak : StackMeasure.Live;
            Require(measure == fits, $"@{Moment} goes with --by {fits.Name()}, not {measure.Name()}");
        }

        if (AtNs is not null)
        {
            Require(measure == StackMeasure.Live, $"--at goes with --by live, not {measure.Name()}");
            Require(!HasRange, "--at does not go with --from and --to");
        }

        if (HasRange)
        {
            Require(
                measure is not (StackMeasure.Peak or StackMeasure.Temporary),
                $"--from and --to do not go with --by {measure.Name()}");
            Require(FromNs is null || ToNs is null || FromNs <= ToNs, "--from is after --to");
        }

        Require(Moment is null || (AtNs is null && !HasRange), $"@{Moment} does not go with --at, --from or --to");
        Require(Top is null or > 0, "--top must be at least 1");
        return measure;
    }

    private StackMeasure Default() => this switch
    {
        { Sizes: not null } => StackMeasure.Allocated,
        { LifetimesUs: not null } => StackMeasure.Freed,
        { Moment: TraceReference.Peak } => StackMeasure.Peak,
        _ => StackMeasure.Live,
    };

    // What a trace keeps by thread, size and lifetime it keeps over whole lives, and each by itself.
    private void CheckFilters(StackMeasure measure)
    {
        if (OfMappings)
        {
            Require(
                AtNs is null && !HasRange && Tid is null && Sizes is null && LifetimesUs is null,
                "--mmap does not go with times, threads, sizes and lifetimes: mappings are kept by stack, over whole lives and at snapshots");
            Require(measure != StackMeasure.Temporary, "--mmap does not go with --by temporary");
        }

        var isWhole = AtNs is null && !HasRange && Moment is null or TraceReference.End;
        if (Tid is not null)
        {
            Require(isWhole, "--thread does not go with times and snapshots: what threads did is kept over whole lives");
            Require(
                measure is not (StackMeasure.Peak or StackMeasure.Temporary),
                $"--thread does not go with --by {measure.Name()}: threads have no shares in that");
        }

        if (Sizes is not null)
        {
            Require(measure is StackMeasure.Allocated or StackMeasure.Count, $"sizes are kept of what was allocated, not of what is {measure.Name()}: use --by allocated or count");
        }

        if (LifetimesUs is not null)
        {
            Require(measure == StackMeasure.Freed, $"only what was freed has a lifetime: use --by freed, not {measure.Name()}");
        }

        if (Sizes is not null || LifetimesUs is not null)
        {
            Require(isWhole && Tid is null, "sizes and lifetimes do not go with times, snapshots and --thread: they are kept over whole lives");
            Require(Sizes is null || LifetimesUs is null, "sizes and lifetimes are kept apart: ask for one of them");
        }
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ToolException(message, ExitCodes.Usage);
        }
    }
}

/// <summary>The answer to a <see cref="StackQuestion"/>.</summary>
public sealed record StackAnswer
{
    /// <summary>False when the recording was sampled: bytes and blocks are estimates.</summary>
    public bool IsExact { get; init; } = true;

    /// <summary>Of mappings, not of the heap: blocks are mappings.</summary>
    public bool OfMappings { get; init; }

    /// <summary>What <see cref="Blocks"/> counts, for a person.</summary>
    public string Noun => OfMappings ? "mapping" : "block";

    /// <summary>What was weighed by.</summary>
    public required StackMeasure By { get; init; }

    /// <summary>The stacks, largest first; no more than were asked for. Made as they are enumerated.</summary>
    public required IReadOnlyList<StackCost> Stacks { get; init; }

    /// <summary>The same by node of <see cref="Profile.Stacks"/>, for whoever has use for all of them.</summary>
    public IReadOnlyList<NodeCost> Costs { get; init; } = [];

    /// <summary>How many stacks there are, before any limit.</summary>
    public required int StackCount { get; init; }

    /// <summary>Bytes over all of them.</summary>
    public required long Bytes { get; init; }

    /// <summary>Blocks over all of them.</summary>
    public required long Blocks { get; init; }

    /// <summary>The snapshot that was asked for; null when none was.</summary>
    public Snapshot? Snapshot { get; init; }

    /// <summary>The edge at which things were alive; null: each process's end, or what the measure says.</summary>
    public long? AtNs { get; init; }

    /// <summary>The edge from which births count; null: no range was asked for.</summary>
    public long? FromNs { get; init; }

    /// <summary>The edge up to which births count; null: no range, or up to the end.</summary>
    public long? ToNs { get; init; }

    /// <summary>Width of the buckets, whose edges those are.</summary>
    public long? BucketNs { get; init; }

    /// <summary>The thread that was asked for; null: all.</summary>
    public int? Tid { get; init; }

    /// <summary>The module that was asked for; null: all.</summary>
    public string? Module { get; init; }

    /// <summary>The sizes that count, widened to powers of two; null: all.</summary>
    public BucketRange? Sizes { get; init; }

    /// <summary>The lifetimes that count, widened likewise; null: all.</summary>
    public BucketRange? LifetimesUs { get; init; }
}
