using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NativeHeap.Memory;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>
/// Which block an address lies in. A directory of the address space leads, page by page, to the first block that ends
/// behind the page's start; from there it is a few steps. Reading is safe from several threads.
/// </summary>
public sealed unsafe class BlockIndex : IDisposable
{
    /// <summary>No block.</summary>
    public const int None = -1;

    private const int PageBits = 9;
    private const int LeafBits = 30;
    private const int LeafPages = 1 << (LeafBits - PageBits);
    private const int LeafBytes = LeafPages * sizeof(int);
    private const int Leaves = 1 << (47 - LeafBits);

    private readonly int** _leaves;
    private readonly HeapBlock* _blocks;
    private readonly int _count;

    /// <summary>An index of blocks, which must not be added to or moved as long as it is used.</summary>
    /// <param name="blocks">In the order of their addresses, of which none overlap.</param>
    public BlockIndex(HeapBlocks blocks)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        _blocks = blocks.Pointer;
        _count = blocks.Count;
        _leaves = (int**)NativeMemory.AllocZeroed(Leaves, (nuint)sizeof(int*));
        Low = _count == 0 ? 0 : _blocks[0].Address;
        High = _count == 0 ? 0 : _blocks[_count - 1].End + 1;
        Fill();
        FindGap();
    }

    /// <summary>No block begins below.</summary>
    public ulong Low { get; }

    /// <summary>No pointer to a block, or to one past its end, is this or more.</summary>
    public ulong High { get; }

    /// <summary>The largest range between <see cref="Low"/> and <see cref="High"/> without a block: of a program's heap and
    /// its mappings one lies at each end of the address space.</summary>
    public ulong GapStart { get; private set; }

    /// <summary>Where that range ends.</summary>
    public ulong GapEnd { get; private set; }

    /// <summary>Starts to load what <see cref="Find"/> needs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchPage(ulong address)
    {
        var leaf = _leaves[(address >> LeafBits) & (Leaves - 1)];
        if (leaf is not null && Sse.IsSupported)
        {
            Sse.Prefetch0(leaf + ((address >> PageBits) & (LeafPages - 1)));
        }
    }

    /// <summary>Starts to load the blocks of a page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchBlock(ulong address)
    {
        var leaf = _leaves[(address >> LeafBits) & (Leaves - 1)];
        if (leaf is not null && Sse.IsSupported)
        {
            Sse.Prefetch0(_blocks + leaf[(address >> PageBits) & (LeafPages - 1)]);
        }
    }

    /// <summary>The block that an address lies in, or that ends right before it.</summary>
    /// <returns>Its place; <see cref="None"/> when there is none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(ulong address)
    {
        if (address >= 1UL << 47)
        {
            return None;
        }

        var leaf = _leaves[address >> LeafBits];
        if (leaf is null)
        {
            return None;
        }

        var i = leaf[(address >> PageBits) & (LeafPages - 1)];
        while (i < _count && _blocks[i].End < address)
        {
            i++;
        }

        if (i >= _count || _blocks[i].Address > address)
        {
            return None;
        }

        // One past the end of a block may be the start of the next one, which is the better answer.
        return i + 1 < _count && _blocks[i + 1].Address == address ? i + 1 : i;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (var i = 0; i < Leaves; i++)
        {
            if (_leaves[i] is not null)
            {
                LargePages.Free((byte*)_leaves[i], LeafBytes);
            }
        }

        NativeMemory.Free(_leaves);
    }

    private void Fill()
    {
        ulong next = 0; // leaves below are filled
        for (var i = 0; i < _count; i++)
        {
            var last = Math.Min(_blocks[i].End >> LeafBits, Leaves - 1);
            for (var leaf = Math.Max(next, _blocks[i].Address >> LeafBits); leaf <= last; leaf++)
            {
                FillLeaf(leaf, i);
            }

            next = Math.Max(next, last + 1);
        }
    }

    // For each page the first block that ends at its start or later: what ends right there is pointed to from it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private void FillLeaf(ulong number, int first)
    {
        var leaf = _leaves[number] = (int*)LargePages.Allocate(LeafBytes);
        var start = number << LeafBits;
        var block = first;
        for (var page = 0; page < LeafPages; block++)
        {
            var last = block < _count ? (long)Math.Min((_blocks[block].End - start) >> PageBits, LeafPages - 1) : LeafPages - 1;
            if (last >= page)
            {
                new Span<int>(leaf + page, (int)last - page + 1).Fill(block);
                page = (int)last + 1;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private void FindGap()
    {
        GapStart = GapEnd = High;
        for (var i = 1; i < _count; i++)
        {
            if (_blocks[i].Address - Math.Min(_blocks[i].Address, _blocks[i - 1].End) > GapEnd - GapStart)
            {
                GapStart = _blocks[i - 1].End + 1;
                GapEnd = _blocks[i].Address;
            }
        }
    }
}
