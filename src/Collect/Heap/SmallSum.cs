using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>Blocks and bytes in one word, so that counting one costs one addition: 24 bits with the blocks above 40 with
/// the bytes. What does not fit is refused.</summary>
internal struct SmallSum
{
    private const int ByteBits = 40;
    private const ulong Full = (1UL << 63) | (1UL << (ByteBits - 1)); // either half is used up

    private ulong _sum;

    public readonly bool IsEmpty => _sum == 0;

    /// <summary>Blocks, below 2^24.</summary>
    public readonly long Blocks => (long)(_sum >> ByteBits);

    /// <summary>Their bytes, below 2^40.</summary>
    public readonly long Bytes => (long)(_sum & ((1UL << ByteBits) - 1));

    /// <summary>Counts one block.</summary>
    /// <param name="bytes">Of it; not negative.</param>
    /// <returns>False, and nothing is counted, when that has no room: take out what is there, then it has, unless the
    /// block is of half a TiB.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAdd(long bytes)
    {
        if (((_sum & Full) | ((ulong)bytes >> (ByteBits - 1))) != 0)
        {
            return false;
        }

        _sum += (1UL << ByteBits) + (ulong)bytes;
        return true;
    }
}
