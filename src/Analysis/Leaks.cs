using NativeHeap.Analysis.Suppressions;
using NativeHeap.Graph;
using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>Bytes in blocks.</summary>
/// <param name="Bytes">Requested.</param>
/// <param name="Blocks">How many.</param>
public readonly record struct LeakSum(long Bytes, long Blocks)
{
    /// <summary>Both together.</summary>
    public static LeakSum operator +(LeakSum one, LeakSum other) =>
        new(one.Bytes + other.Bytes, one.Blocks + other.Blocks);

    /// <summary>Both together.</summary>
    public static LeakSum Add(LeakSum one, LeakSum other) => one + other;
}

/// <summary>Blocks of one kind that one stack allocated.</summary>
/// <param name="Id">From 1, in the order of the report.</param>
/// <param name="Kind">What they are.</param>
/// <param name="Own">The blocks.</param>
/// <param name="Indirect">What is lost with them; nothing for kinds other than definite.</param>
/// <param name="Address">One of them.</param>
/// <param name="PointedFrom">Where a pointer into that one lies; 0: in a register; null: nowhere known.</param>
/// <param name="Cycle">Addresses of the ring that it is part of; empty when it is none.</param>
/// <param name="Stack">Who allocated them.</param>
public sealed record Leak(
    int Id,
    LeakKind Kind,
    LeakSum Own,
    LeakSum Indirect,
    ulong Address,
    ulong? PointedFrom,
    IReadOnlyList<ulong> Cycle,
    CallStack Stack)
{
    /// <summary>The C++ class of every one of the blocks, by the symbol of its virtual table; null: they have none, or not
    /// all the same.</summary>
    public string? Type { get; init; }
}

/// <summary>A suppression that was used.</summary>
/// <param name="Entry">The suppression.</param>
/// <param name="Sum">What it matched, and what hung off that.</param>
public sealed record SuppressionUse(SuppressionEntry Entry, LeakSum Sum);

/// <summary>A heap-check of a process, its leaks named and largest first.</summary>
public sealed record LeakCheck
{
    /// <summary>The process image.</summary>
    public required ProcessInfo Process { get; init; }

    /// <summary>Number of the check in its trace.</summary>
    public required int Number { get; init; }

    /// <summary><c>normal</c>, <c>strict</c>, <c>draconian</c> or <c>asked</c>.</summary>
    public required string Level { get; init; }

    /// <summary>How long the process stood still, nanoseconds.</summary>
    public required long HeldNs { get; init; }

    /// <summary>False: it is unknown what holds the blocks.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>Remarks for a person.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Everything of a kind.</summary>
    public required IReadOnlyDictionary<LeakKind, LeakSum> Summary { get; init; }

    /// <summary>What is not to be reported.</summary>
    public required LeakSum Suppressed { get; init; }

    /// <summary>By kind and stack.</summary>
    public required IReadOnlyList<Leak> Leaks { get; init; }

    /// <summary>Suppressions that were used.</summary>
    public required IReadOnlyList<SuppressionUse> SuppressionsUsed { get; init; }

    /// <summary>Definite and indirect ones.</summary>
    public LeakSum Lost => Summary[LeakKind.Definite] + Summary[LeakKind.Indirect];
}
