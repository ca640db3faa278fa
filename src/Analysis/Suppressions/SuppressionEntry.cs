using NativeHeap.Graph;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>Leaks that are known and not to be reported.</summary>
public abstract class SuppressionEntry
{
    /// <summary>What the table of used suppressions calls it: a pattern, or a block's name.</summary>
    public required string Pattern { get; init; }

    /// <summary>Where it stands, <c>FILE:LINE</c>.</summary>
    public required string Source { get; init; }

    /// <summary>It counts for no more blocks than this: when more match, none of them is suppressed. Null: any number.</summary>
    public long? MostBlocks { get; init; }

    /// <summary>Likewise bytes.</summary>
    public long? MostBytes { get; init; }

    /// <summary>Whether what matches may be suppressed.</summary>
    /// <param name="sum">All that matches in a process.</param>
    internal bool Allows(LeakSum sum) =>
        sum.Blocks <= (MostBlocks ?? long.MaxValue) && sum.Bytes <= (MostBytes ?? long.MaxValue);

    /// <summary>Whether it means blocks of a kind from a stack.</summary>
    internal abstract bool Matches(NamedStack stack, LeakKind kind);
}
