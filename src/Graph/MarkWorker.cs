using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>Scans memory for pointers and marks the blocks they lead to; several of them share the blocks and hand each
/// other work. Each is for one thread.</summary>
internal sealed unsafe class MarkWorker : IDisposable
{
    private const int PieceWords = TargetCopy.PieceBytes / sizeof(ulong);
    private const int Ahead = 16; // hits between the request for memory and its use
    private const int BlocksAhead = 4; // blocks between the request for their memory and its use

    private readonly HeapBlocks _blocks;
    private readonly BlockIndex _index;
    private readonly PointerFilter _filter;
    private readonly TargetCopy _copy;
    private readonly SharedWork _shared;
    private readonly ulong* _aligned = (ulong*)NativeMemory.AlignedAlloc(TargetCopy.PieceBytes, 64);
    private readonly int* _places = (int*)NativeMemory.Alloc(PieceWords, sizeof(int));
    private readonly NativeList<int> _work = new();
    private readonly CancellationToken _cancellation;

    public MarkWorker(
        HeapBlocks blocks, BlockIndex index, TargetCopy copy, SharedWork shared, CancellationToken cancellation)
    {
        _blocks = blocks;
        _index = index;
        _filter = new PointerFilter(index);
        _copy = copy;
        _shared = shared;
        _cancellation = cancellation;
    }

    /// <summary>Pointers into the midst of blocks: which block, and where the pointer lies (0: in a register).</summary>
    public List<(int Block, ulong From)> Interior { get; } = [];

    /// <summary>By block that was reached as possibly lost: where a pointer into it lies.</summary>
    public Dictionary<int, ulong> PointedFrom { get; } = [];

    /// <summary>Marks a block; it is looked at by the next <see cref="Flood"/>.</summary>
    public void Push(int block, ulong state)
    {
        if (TryRaise(block, state))
        {
            _work.Add(block);
        }
    }

    /// <summary>Marks what a value leads to.</summary>
    /// <param name="value">Any number.</param>
    /// <param name="from">Where it lies; 0: in a register.</param>
    /// <param name="state">What it makes a block.</param>
    public void Reach(ulong value, ulong from, ulong state)
    {
        var block = _filter.May(value) ? _index.Find(value) : BlockIndex.None;
        if (block == BlockIndex.None || BlockState.Of(_blocks[block]) >= state)
        {
            return;
        }

        if (state == BlockState.Reachable && value != _blocks[block].Address)
        {
            Interior.Add((block, from));
        }
        else if (TryRaise(block, state))
        {
            _work.Add(block);
            if (state == BlockState.Possible)
            {
                PointedFrom.TryAdd(block, from);
            }
        }
    }

    /// <summary>Marks what a range of roots leads to.</summary>
    public void ScanRoot(AddressRange range, IMemoryReader memory)
    {
        var start = (range.Start + 7) & ~7UL;
        while (start < range.End)
        {
            _cancellation.ThrowIfCancellationRequested();
            var bytes = (int)Math.Min(TargetCopy.PieceBytes, range.End - start);
            var got = memory.Read(start, new Span<byte>(_aligned, bytes));
            ScanWords(_aligned, got / sizeof(ulong), start, BlockState.Reachable);
            start += got == bytes ? (ulong)bytes : (((ulong)got + 4096) & ~4095UL); // a page that cannot be read
        }
    }

    /// <summary>Looks at marked blocks until there is no more to do, here and with the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    public void Flood(ulong state)
    {
        do
        {
            var count = 0;
            while (_work.TryTakeLast(out var block))
            {
                if ((++count & 0xFF) == 0)
                {
                    _cancellation.ThrowIfCancellationRequested();
                    _shared.Give(_work);
                }

                PrefetchNext();
                ScanBlock(block, state);
            }
        }
        while (_shared.TryTake(_work, _cancellation));
    }

    /// <summary>Appends the links of all blocks not surely held that a block has a pointer to or into.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    public void AddTargets(int block, NativeList<int> to)
    {
        ref var source = ref _blocks[block];
        var start = (source.Address + 7) & ~7UL;
        var end = source.Address + source.Bytes;
        while (start + sizeof(ulong) <= end)
        {
            var words = (ulong*)_copy.At(start, out var bytes);
            var number = (int)Math.Min((ulong)bytes, end - start) / sizeof(ulong);
            var hits = _filter.Find(words, number, _places);
            for (var i = 0; i < hits; i++)
            {
                Prefetch(words, hits, i);
                var target = _index.Find(words[_places[i]]);
                if (target != BlockIndex.None && target != block
                    && BlockState.Of(_blocks[target]) is BlockState.Unreached or BlockState.Possible)
                {
                    to.Add(_blocks[target].Link);
                }
            }

            start += (ulong)number * sizeof(ulong);
        }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_aligned);
        NativeMemory.Free(_places);
        _work.Dispose();
    }

    private void ScanBlock(int block, ulong state)
    {
        ref var target = ref _blocks[block];
        var start = (target.Address + 7) & ~7UL;
        var end = target.Address + target.Bytes;
        while (start + sizeof(ulong) <= end)
        {
            var words = (ulong*)_copy.At(start, out var bytes);
            var number = (int)Math.Min((ulong)bytes, end - start) / sizeof(ulong);
            ScanWords(words, number, start, state);
            start += (ulong)number * sizeof(ulong);
        }
    }

    // The memory of look-ups is asked for ahead of its use, in two steps: which block, then the block.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private void ScanWords(ulong* words, int count, ulong address, ulong state)
    {
        var hits = _filter.Find(words, count, _places);
        for (var i = 0; i < hits; i++)
        {
            Prefetch(words, hits, i);
            Reach(words[_places[i]], address + ((ulong)_places[i] * sizeof(ulong)), state);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Prefetch(ulong* words, int hits, int i)
    {
        if (i + (2 * Ahead) < hits)
        {
            _index.PrefetchPage(words[_places[i + (2 * Ahead)]]);
        }

        if (i + Ahead < hits)
        {
            _index.PrefetchBlock(words[_places[i + Ahead]]);
        }
    }

    private void PrefetchNext()
    {
        if (_work.Count > BlocksAhead && Sse.IsSupported)
        {
            var address = _blocks[_work[_work.Count - 1 - BlocksAhead]].Address;
            var words = _copy.Known(address);
            if (words is not null)
            {
                Sse.Prefetch0(words);
                Sse.Prefetch0(words + 64);
            }
        }
    }

    // Others may be marking the same block: whoever raises its state looks at it.
    private bool TryRaise(int block, ulong state)
    {
        ref var word = ref _blocks[block].BytesAndState;
        while (true)
        {
            var seen = Volatile.Read(ref word);
            if (seen >> HeapBlock.StateShift >= state)
            {
                return false;
            }

            var raised = (seen & ((1UL << HeapBlock.StateShift) - 1)) | (state << HeapBlock.StateShift);
            if (Interlocked.CompareExchange(ref word, raised, seen) == seen)
            {
                return true;
            }
        }
    }
}
