using System.Runtime.CompilerServices;
using NativeHeap.Model;

namespace NativeHeap.Graph.Objects;

/// <summary>Tells which block a word points into, or to the end of.</summary>
internal readonly struct BlockFinder(HeapBlocks blocks, BlockIndex index)
{
    private readonly PointerFilter _filter = new(index);

    /// <summary>Finds the words of a piece of memory that may be pointers.</summary>
    public PointerFilter Filter => _filter;

    /// <summary>The block's place; <see cref="BlockIndex.None"/> when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(ulong word)
    {
        if (!_filter.May(word))
        {
            return BlockIndex.None;
        }

        var place = index.Find(word);
        return place != BlockIndex.None && IsPointer(blocks[place], word) ? place : BlockIndex.None;
    }

    // Of a block that only the allocator tells of, the last word may be the header of the next chunk, to which the allocator
    // itself points: what was free once still holds such pointers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsPointer(in HeapBlock block, ulong word) =>
        block.Stack != AllocatorBlocks.NoStack || word + sizeof(ulong) < block.End || word == block.Address;
}
