namespace NativeHeap.Graph;

/// <summary>A block that is not, or not surely, held.</summary>
/// <param name="Address">What the allocation function returned.</param>
/// <param name="Bytes">Requested.</param>
/// <param name="Stack">Number of its stack.</param>
/// <param name="IsPossible">Something points into its midst, or to one that is so.</param>
/// <param name="PointedFrom">Where such a pointer lies; 0: in a register; null: nowhere.</param>
public readonly record struct LeakBlock(ulong Address, ulong Bytes, int Stack, bool IsPossible, ulong? PointedFrom)
{
    /// <summary>Its C++ class, by the symbol of its virtual table; null: it has none.</summary>
    public string? Type { get; init; }

    /// <summary>Where it points to as to a virtual table; 0: it does not.</summary>
    internal ulong Table { get; init; }
}

/// <summary>What is held, of one stack.</summary>
/// <param name="Stack">Its number.</param>
/// <param name="Bytes">Requested.</param>
/// <param name="Blocks">How many.</param>
/// <param name="Address">One of them.</param>
public readonly record struct HeldBlocks(int Stack, long Bytes, long Blocks, ulong Address)
{
    /// <summary>The C++ class of each of them, by the symbol of its virtual table; null: they have none, or several.</summary>
    public string? Type { get; init; }

    /// <summary>Where all of them point to as to a virtual table; 0: they do not.</summary>
    internal ulong Table { get; init; }
}

/// <summary>What a check found in a process: the blocks that nothing surely holds, with the pointers between them, and
/// the sums of all others. It needs the process no more.</summary>
public sealed record LeakGraph
{
    /// <summary>The blocks by rising address.</summary>
    public required IReadOnlyList<LeakBlock> Blocks { get; init; }

    /// <summary>By block: where its part of <see cref="Targets"/> begins; one more entry than blocks.</summary>
    public required IReadOnlyList<int> FirstTarget { get; init; }

    /// <summary>Places in <see cref="Blocks"/> that a block has a pointer to or into.</summary>
    public required IReadOnlyList<int> Targets { get; init; }

    /// <summary>Places in <see cref="Blocks"/> that this one has a pointer to or into.</summary>
    /// <param name="block">Its place in <see cref="Blocks"/>.</param>
    public IEnumerable<int> TargetsOf(int block)
    {
        for (var i = FirstTarget[block]; i < FirstTarget[block + 1]; i++)
        {
            yield return Targets[i];
        }
    }

    /// <summary>What is held, by stack.</summary>
    public required IReadOnlyList<HeldBlocks> Reachable { get; init; }

    /// <summary>Blocks that were not freed, by stack, where nobody looked at what holds them.</summary>
    public IReadOnlyList<HeldBlocks> NotFreed { get; init; } = [];

    /// <summary>Whether <see cref="NotFreed"/> are leaks for that alone.</summary>
    public bool NotFreedIsLeaked { get; init; }

    /// <summary>Remarks for a person.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}
