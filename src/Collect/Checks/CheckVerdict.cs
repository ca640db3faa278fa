namespace NativeHeap.Collect.Checks;

/// <summary>What a program is told that has asked for a heap-check itself.</summary>
/// <param name="Sums">Bytes and blocks that are definitely, indirectly, possibly lost, and reachable: eight numbers.</param>
/// <param name="ExitCode">With which it ends, when it wants to end because of leaks; 0: it goes on.</param>
public sealed record CheckVerdict(IReadOnlyList<long> Sums, int ExitCode)
{
    /// <summary>No leaks, nothing held.</summary>
    public static CheckVerdict Nothing { get; } = new(new long[8], 0);
}
