using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>The buckets of a histogram that were counted into last, four at most, by their lowest two bits: sizes and
/// lifetimes of one stack seldom spread over more octaves.</summary>
internal struct RecentBuckets
{
    /// <summary>Buckets that can be there at once.</summary>
    public const int Count = 4;

    private Names _names;
    private Sums _sums;

    /// <summary>Counts one block.</summary>
    /// <returns>False, and nothing is counted, when another bucket has its place, or that is full.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAdd(int bucket, long bytes)
    {
        var place = bucket & (Count - 1);
        return _names[place] == bucket && _sums[place].TryAdd(bytes);
    }

    /// <summary>Gives the place that a bucket needs to it, empty.</summary>
    /// <returns>What was in it, and of which bucket.</returns>
    public (int Bucket, SmallSum Sum) Take(int bucket)
    {
        var place = bucket & (Count - 1);
        var before = ((int)_names[place], _sums[place]);
        _names[place] = (byte)bucket;
        _sums[place] = default;
        return before;
    }

    /// <summary>Takes out what is in a place.</summary>
    /// <param name="place">0 to 3.</param>
    /// <returns>What was in it, and of which bucket.</returns>
    public (int Bucket, SmallSum Sum) TakeAt(int place)
    {
        var before = ((int)_names[place], _sums[place]);
        _sums[place] = default;
        return before;
    }

    [InlineArray(Count)]
    private struct Names
    {
        private byte _element;
    }

    [InlineArray(Count)]
    private struct Sums
    {
        private SmallSum _element;
    }
}
