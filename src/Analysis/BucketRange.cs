using System.Numerics;

namespace NativeHeap.Analysis;

/// <summary>
/// A range of sizes in bytes or lifetimes in microseconds. Traces count both by power of two, so it is widened to such
/// edges: it holds whatever shares a power of two with its ends.
/// </summary>
public sealed record BucketRange
{
    /// <param name="least">The least value; null: 0.</param>
    /// <param name="most">The highest value; null: any.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is negative.</exception>
    public BucketRange(long? least, long? most)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(least ?? 0);
        ArgumentOutOfRangeException.ThrowIfNegative(most ?? 0);
        First = BitLength(least ?? 0);
        Last = most is { } high ? BitLength(high) : 64;
    }

    /// <summary>The first bucket: bucket b holds 2^(b-1) to 2^b - 1, bucket 0 holds 0.</summary>
    public int First { get; }

    /// <summary>The last bucket.</summary>
    public int Last { get; }

    /// <summary>The least value that counts.</summary>
    public long Low => First == 0 ? 0 : 1L << (First - 1);

    /// <summary>The highest value that counts; null: any.</summary>
    public long? High => Last >= 63 ? null : (1L << Last) - 1;

    /// <summary>Whether a bucket counts.</summary>
    public bool Contains(int bucket) => bucket >= First && bucket <= Last;

    private static int BitLength(long value) => 64 - BitOperations.LeadingZeroCount((ulong)value);
}
