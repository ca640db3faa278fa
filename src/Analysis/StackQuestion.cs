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

    /// <summary>The most stacks to give; null: all.</summary>
    public int? Top { get; init; }

    /// <summary>True when a range of time is asked about.</summary>
    public bool HasRange => FromNs is not null || ToNs is not null;

    /// <summary>The measure after all defaults.</summary>
    /// <exception cref="ToolException">The parts of the question contradict each other (exit code 2).</exception>
    internal StackMeasure Measure()
    {
        var measure = By ?? (Moment == TraceReference.Peak ? StackMeasure.Peak : StackMeasure.Live);
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
    /// <summary>What was weighed by.</summary>
    public required StackMeasure By { get; init; }

    /// <summary>The stacks, largest first; no more than were asked for. Made as they are enumerated.</summary>
    public required IReadOnlyList<StackCost> Stacks { get; init; }

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
}
