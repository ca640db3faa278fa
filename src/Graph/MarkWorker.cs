using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>Scans roots for pointers and marks the blocks that they lead to, and those that these lead to; several of them
/// share the blocks and hand each other work. Each is for one thread.</summary>
internal sealed unsafe class MarkWorker : IDisposable
{
    private const int PieceBytes = 512 * 1024;
    private const int PieceWords = PieceBytes / sizeof(ulong);
    private const int BlocksAhead = 8; // blocks between the request for their list of pointers and its use

    private readonly HeapBlocks _blocks;
    private readonly BlockIndex _index;
    private readonly PointerFilter _filter;
    private readonly PointerGraph _pointers;
    private readonly SharedWork _shared;
    private readonly ulong* _piece = (ulong*)NativeMemory.AlignedAlloc(PieceBytes, 64);
    private readonly int* _places = (int*)NativeMemory.Alloc(PieceWords, sizeof(int));
    private readonly NativeList<int> _work = new();
    private readonly CancellationToken _cancellation;

    public MarkWorker(
        HeapBlocks blocks, BlockIndex index, PointerGraph pointers, SharedWork shared, CancellationToken cancellation)
    {
        _blocks = blocks;
        _index = index;
        _filter = new PointerFilter(index);
        _pointers = pointers;
        _shared = shared;
        _cancellation = cancellation;
    }

    /// <summary>Pointers into the midst of blocks.</summary>
    public List<HeapPointer> Interior { get; } = [];

    /// <summary>By block that was reached as possibly lost: the block that a pointer to it lies in, and where, if that is known
    /// (else 0).</summary>
    public Dictionary<int, (int Source, ulong Location)> PointedFrom { get; } = [];

    /// <summary>Marks a block; it is looked at by the next <see cref="Flood"/>.</summary>
    public void Push(int block, ulong state)
    {
        if (TryRaise(block, state))
        {
            _work.Add(block);
        }
    }

    /// <summary>Marks what a value in a root leads to.</summary>
    /// <param name="value">Any number.</param>
    /// <param name="location">Where it lies; 0: in a register.</param>
    public void Reach(ulong value, ulong location)
    {
        var block = _filter.May(value) ? _index.Find(value) : BlockIndex.None;
        if (block != BlockIndex.None)
        {
            Reach(BlockIndex.None, new HeapPointer(block, value - _blocks[block].Address, location), BlockState.Reachable);
        }
    }

    /// <summary>Marks what a range of roots leads to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    public void ScanRoot(AddressRange range, IMemoryReader memory)
    {
        var start = (range.Start + 7) & ~7UL;
        while (start < range.End)
        {
            _cancellation.ThrowIfCancellationRequested();
            var bytes = (int)Math.Min(PieceBytes, range.End - start);
            var got = memory.Read(start, new Span<byte>(_piece, bytes));
            var hits = _filter.Find(_piece, got / sizeof(ulong), _places);
            for (var i = 0; i < hits; i++)
            {
                Reach(_piece[_places[i]], start + ((ulong)_places[i] * sizeof(ulong)));
            }

            start += got == bytes ? (ulong)bytes : (((ulong)got + 4096) & ~4095UL); // a page that cannot be read
        }
    }

    /// <summary>Finds the pointers to starts of blocks that lie in a block.</summary>
    /// <param name="source">The block.</param>
    /// <param name="memory">The process's.</param>
    /// <param name="found">Gets the block pointed to, and where the pointer lies.</param>
    public void Locate(int source, IMemoryReader memory, Action<int, ulong> found)
    {
        var end = _blocks[source].Address + _blocks[source].Bytes;
        for (var start = (_blocks[source].Address + 7) & ~7UL; start + sizeof(ulong) <= end; start += PieceBytes)
        {
            _cancellation.ThrowIfCancellationRequested();
            var bytes = (int)Math.Min(PieceBytes, end - start);
            memory.ReadOrZero(start, new Span<byte>(_piece, bytes));
            var hits = _filter.Find(_piece, bytes / sizeof(ulong), _places);
            for (var i = 0; i < hits; i++)
            {
                var value = _piece[_places[i]];
                if (_index.Find(value) is var block && block != BlockIndex.None && _blocks[block].Address == value)
                {
                    found(block, start + ((ulong)_places[i] * sizeof(ulong)));
                }
            }
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

                if (_work.Count > BlocksAhead)
                {
                    _pointers.Prefetch(_blocks[_work[_work.Count - 1 - BlocksAhead]]);
                }

                var pointers = _pointers.Of(_blocks[block]);
                while (pointers.TryNext(out var pointer))
                {
                    Reach(block, pointer, state);
                }
            }
        }
        while (_shared.TryTake(_work, _cancellation));
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_piece);
        NativeMemory.Free(_places);
        _work.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Reach(int source, in HeapPointer pointer, ulong state)
    {
        if (BlockState.Of(_blocks[pointer.Target]) >= state)
        {
            return;
        }

        if (state == BlockState.Reachable && pointer.Offset != 0)
        {
            Interior.Add(pointer);
        }
        else if (TryRaise(pointer.Target, state))
        {
            _work.Add(pointer.Target);
            if (state == BlockState.Possible)
            {
                PointedFrom.TryAdd(pointer.Target, (source, pointer.Location));
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
