namespace NativeHeap.Present;

/// <summary>Figures of a trace for people: as they are, or marked as the estimates that a sampled recording has. How an
/// estimate is marked, in whatever view, is said here alone.</summary>
/// <param name="IsExact">False: every figure that is not zero is an estimate.</param>
public readonly record struct Figures(bool IsExact)
{
    /// <summary>What stands above a view of estimates.</summary>
    public const string Heading = "ESTIMATES from samples";

    /// <summary>What stands beside the name of a picture or a profile of estimates.</summary>
    public const string Remark = "estimated from samples";

    /// <summary><c>ESTIMATES from samples, one in 512.0 KiB on average, from 12.3 s on</c>.</summary>
    /// <param name="meanBytes">Mean bytes between samples; null or 0: not known.</param>
    /// <param name="fromNs">From when on; null: from the beginning.</param>
    public static string Headline(long? meanBytes, long? fromNs) =>
        Heading + (meanBytes is > 0 ? $", one in {Words.Bytes(meanBytes.Value)} on average" : "")
        + (fromNs is { } from ? $", from {Words.Duration(from)} on" : "");

    /// <summary>The remark in parentheses, with a blank before it; nothing for exact figures.</summary>
    public string Suffix => IsExact ? "" : $" ({Remark})";

    /// <summary><c>~5.2 KiB</c> where it is an estimate.</summary>
    public string Bytes(long bytes) => Mark(bytes) + Words.Bytes(bytes);

    /// <summary><c>~1,234</c> where it is an estimate.</summary>
    public string Count(long count) => Mark(count) + Words.Count(count);

    /// <summary><c>~1,234 blocks</c> where it is an estimate.</summary>
    public string Count(long count, string noun) => Mark(count) + Words.Count(count, noun);

    /// <summary><c>+5.2 KiB</c>: growth with its sign.</summary>
    public string SignedBytes(long bytes) => Mark(bytes) + (bytes > 0 ? "+" : "") + Words.Bytes(bytes);

    /// <summary><c>+12</c>: growth with its sign.</summary>
    public string SignedCount(long count) => Mark(count) + (count > 0 ? "+" : "") + Words.Count(count);

    /// <summary>What stands before a figure.</summary>
    private string Mark(long figure) => Mark(IsExact || figure == 0);

    /// <summary>What stands before a figure that is exact or is not.</summary>
    internal static string Mark(bool isExact) => isExact ? "" : "~";
}
