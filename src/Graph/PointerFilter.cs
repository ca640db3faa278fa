using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NativeHeap.Graph;

/// <summary>Finds the words of a piece of memory that may be pointers to blocks: those between the lowest and the highest
/// block, less the largest gap between them.</summary>
internal readonly struct PointerFilter(BlockIndex index)
{
    private readonly ulong _low = index.Low;
    private readonly ulong _lowBytes = index.GapStart - index.Low;
    private readonly ulong _high = index.GapEnd;
    private readonly ulong _highBytes = index.High - index.GapEnd;

    /// <summary>Whether a value may be a pointer to a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool May(ulong value) => value - _low < _lowBytes || value - _high < _highBytes;

    /// <summary>Finds them.</summary>
    /// <param name="words">The memory.</param>
    /// <param name="count">Words of it.</param>
    /// <param name="places">Gets the places of those words; room for <paramref name="count"/>.</param>
    /// <returns>How many.</returns>
    public unsafe int Find(ulong* words, int count, int* places)
    {
        var found = 0;
        var i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            found = Find512(words, count, places, ref i);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            found = Find256(words, count, places, ref i);
        }

        for (; i < count; i++)
        {
            if (May(words[i]))
            {
                places[found++] = i;
            }
        }

        return found;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private unsafe int Find512(ulong* words, int count, int* places, ref int i)
    {
        var (low, lowBytes) = (Vector512.Create(_low), Vector512.Create(_lowBytes));
        var (high, highBytes) = (Vector512.Create(_high), Vector512.Create(_highBytes));
        var found = 0;
        for (; i + 8 <= count; i += 8)
        {
            var word = Vector512.Load(words + i);
            var hits = Vector512.LessThan(word - low, lowBytes) | Vector512.LessThan(word - high, highBytes);
            for (var bits = hits.ExtractMostSignificantBits(); bits != 0; bits &= bits - 1)
            {
                places[found++] = i + BitOperations.TrailingZeroCount(bits);
            }
        }

        return found;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private unsafe int Find256(ulong* words, int count, int* places, ref int i)
    {
        var (low, lowBytes) = (Vector256.Create(_low), Vector256.Create(_lowBytes));
        var (high, highBytes) = (Vector256.Create(_high), Vector256.Create(_highBytes));
        var found = 0;
        for (; i + 4 <= count; i += 4)
        {
            var word = Vector256.Load(words + i);
            var hits = Vector256.LessThan(word - low, lowBytes) | Vector256.LessThan(word - high, highBytes);
            for (var bits = hits.ExtractMostSignificantBits(); bits != 0; bits &= bits - 1)
            {
                places[found++] = i + BitOperations.TrailingZeroCount(bits);
            }
        }

        return found;
    }
}
