using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeHeap.Graph.Objects;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>
/// Goes once through the memory of all blocks, in the order of their addresses, and keeps the pointers between them: memory
/// is read piece by piece into the same small buffer, which costs a third of copying it whole, and less where fresh memory
/// is dear. Each is for one thread; several share the blocks.
/// </summary>
internal sealed unsafe class PointerScan : IMemoryReader, IDisposable
{
    private const int PieceBytes = 512 * 1024; // stays in the second-level cache
    private const int PieceWords = PieceBytes / sizeof(ulong);
    private const ulong LargeBlock = 64 * 1024; // from here on it is worth asking which pages exist
    private const ulong MostGap = 4096; // between two blocks that are read at once
    private const ulong UnitBytes = 4 << 20; // of blocks that one thread takes at a time
    private const ulong AskedAtOnce = 1 << 30; // bytes of which it is asked whether they exist, between two looks at the time
    private const int Ahead = 16; // hits between the request for memory and its use

    private readonly HeapBlocks _blocks;
    private readonly BlockIndex _index;
    private readonly PointerFilter _filter;
    private readonly IMemoryReader _memory;
    private readonly PageMap _pages;
    private readonly IReadOnlyList<MemoryMapping> _mappings;
    private readonly (ulong Low, ulong High) _binaries;
    private readonly PointerGraph.Writer _pointers;
    private readonly BlockTables.Writer _tables;
    private readonly byte* _piece = LargePages.Allocate(PieceBytes);
    private readonly int* _places = (int*)NativeMemory.Alloc(PieceWords, sizeof(int));
    private ulong _pieceStart;
    private int _pieceBytes;

    private PointerScan(IHeldProcess held, HeapBlocks blocks, BlockIndex index, PointerGraph graph, BlockTables tables, (ulong Low, ulong High) binaries)
    {
        _blocks = blocks;
        _index = index;
        _filter = new PointerFilter(index);
        _memory = held.Memory;
        _pages = held.OpenPages();
        _mappings = held.Mappings;
        _binaries = binaries;
        _pointers = new PointerGraph.Writer(graph, blocks);
        _tables = new BlockTables.Writer(tables);
    }

    /// <summary>Finds the pointers of all blocks.</summary>
    /// <param name="held">The process.</param>
    /// <param name="blocks">By rising address; those that are gone are left out.</param>
    /// <param name="index">Of the blocks.</param>
    /// <param name="tables">Gets what may be a block's virtual table.</param>
    /// <param name="binaries">From the lowest address of a binary to the highest.</param>
    /// <param name="workers">How many threads.</param>
    /// <param name="cancellation">Ends it when it takes too long.</param>
    /// <returns>The caller's.</returns>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static PointerGraph Find(
        IHeldProcess held,
        HeapBlocks blocks,
        BlockIndex index,
        BlockTables tables,
        (ulong Low, ulong High) binaries,
        int workers,
        CancellationToken cancellation)
    {
        var graph = new PointerGraph();
        try
        {
            var units = Divide(blocks);
            var next = -1;
            Workers.Run(workers, _ =>
            {
                using var scan = new PointerScan(held, blocks, index, graph, tables, binaries);
                for (var i = Interlocked.Increment(ref next); i < units.Count; i = Interlocked.Increment(ref next))
                {
                    cancellation.ThrowIfCancellationRequested();
                    scan.Scan(units[i].First, units[i].End, cancellation);
                }

                scan._pointers.Close();
            });
            return graph;
        }
        catch
        {
            graph.Dispose();
            throw;
        }
    }

    /// <summary>The piece that is being looked through, and the process's memory beside it.</summary>
    public int Read(ulong address, Span<byte> destination)
    {
        var offset = address - _pieceStart;
        if (address < _pieceStart || offset + (ulong)destination.Length > (ulong)_pieceBytes)
        {
            return _memory.Read(address, destination);
        }

        new ReadOnlySpan<byte>(_piece + offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pages.Dispose();
        LargePages.Free(_piece, PieceBytes);
        NativeMemory.Free(_places);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private static List<(int First, int End)> Divide(HeapBlocks blocks)
    {
        var units = new List<(int First, int End)>();
        var first = 0;
        ulong bytes = 0;
        for (var i = 0; i < blocks.Count; i++)
        {
            bytes += blocks[i].Width;
            if (bytes >= UnitBytes)
            {
                units.Add((first, i + 1));
                (first, bytes) = (i + 1, 0);
            }
        }

        if (first < blocks.Count)
        {
            units.Add((first, blocks.Count));
        }

        return units;
    }

    private void Scan(int first, int end, CancellationToken cancellation)
    {
        for (var i = first; i < end;)
        {
            if (_blocks[i].Bytes >= LargeBlock)
            {
                ScanLarge(i++, cancellation);
                continue;
            }

            var last = EndOfRun(i, end, out var stop);
            Load(_blocks[i].Address & ~7UL, stop);
            for (var block = i; block <= last; block++)
            {
                Begin(block);
            }

            ScanPiece(i, last);
            i = last + 1;
        }
    }

    // Blocks that lie close together are read at once.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private int EndOfRun(int first, int end, out ulong stop)
    {
        var start = _blocks[first].Address & ~7UL;
        var last = first;
        stop = _blocks[first].Address + _blocks[first].Bytes;
        for (var i = first + 1; i < end && _blocks[i].Bytes < LargeBlock; i++)
        {
            var next = _blocks[i].Address + _blocks[i].Bytes;
            if (_blocks[i].Address - Math.Min(stop, _blocks[i].Address) > MostGap || next - start > PieceBytes)
            {
                break;
            }

            (last, stop) = (i, Math.Max(stop, next));
        }

        return last;
    }

    private void ScanLarge(int block, CancellationToken cancellation)
    {
        var start = _blocks[block].Address & ~7UL;
        var end = _blocks[block].Address + _blocks[block].Bytes;
        _pieceBytes = 0;
        Begin(block);
        if (BlockState.Of(_blocks[block]) == BlockState.Gone)
        {
            return;
        }

        foreach (var range in Existing(start, end, cancellation))
        {
            for (var at = Math.Max(start, range.Start); at < Math.Min(end, range.End); at += PieceBytes)
            {
                cancellation.ThrowIfCancellationRequested();
                Load(at, Math.Min(Math.Min(end, range.End), at + PieceBytes));
                ScanPiece(block, block);
            }
        }
    }

    // The parts of a block that exist: it may be one that was never touched, or a lie. Of shared memory there may be pages that
    // the process itself has not touched.
    private IEnumerable<AddressRange> Existing(ulong start, ulong end, CancellationToken cancellation)
    {
        for (var i = _mappings.FirstBehind(start); i < _mappings.Count && _mappings[i].Start < end; i++)
        {
            var mapping = _mappings[i];
            var last = Math.Min(end, mapping.End);
            for (var at = Math.Max(start, mapping.Start); at < last; at = (at & ~(AskedAtOnce - 1)) + AskedAtOnce)
            {
                cancellation.ThrowIfCancellationRequested();
                var part = new AddressRange(
                    at & ~(PageMap.PageBytes - 1), Math.Min(mapping.End, (at & ~(AskedAtOnce - 1)) + AskedAtOnce));
                foreach (var range in mapping.IsShared ? [part] : _pages.Present(part))
                {
                    yield return range;
                }
            }
        }
    }

    private void Begin(int block)
    {
        _blocks[block].Link = 0;
        if (BlockState.Of(_blocks[block]) != BlockState.Gone
            && VirtualTables.CandidateOf(_blocks[block], this, _binaries.Low, _binaries.High) is { } candidate)
        {
            _tables.Set(block, candidate.Table);
        }
    }

    private void Load(ulong start, ulong end)
    {
        _pieceStart = start;
        _pieceBytes = (int)(end - start);
        _memory.ReadOrZero(start, new Span<byte>(_piece, _pieceBytes));
    }

    // The memory of look-ups is asked for ahead of its use, in two steps: which block, then the block.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private void ScanPiece(int first, int last)
    {
        var words = (ulong*)_piece;
        var hits = _filter.Find(words, _pieceBytes / sizeof(ulong), _places);
        var source = first;
        var start = _blocks[source].Address;
        var end = start + _blocks[source].Bytes;
        for (var i = 0; i < hits; i++)
        {
            if (i + (2 * Ahead) < hits)
            {
                _index.PrefetchPage(words[_places[i + (2 * Ahead)]]);
            }

            if (i + Ahead < hits)
            {
                _index.PrefetchBlock(words[_places[i + Ahead]]);
            }

            var location = _pieceStart + ((ulong)_places[i] * sizeof(ulong));
            while (location + sizeof(ulong) > end && source < last)
            {
                start = _blocks[++source].Address;
                end = start + _blocks[source].Bytes;
            }

            if (location >= start && location + sizeof(ulong) <= end)
            {
                Add(source, words[_places[i]], location);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Add(int source, ulong value, ulong location)
    {
        var target = _index.Find(value);
        if (target != BlockIndex.None && target != source
            && BlockState.Of(_blocks[target]) != BlockState.Gone && BlockState.Of(_blocks[source]) != BlockState.Gone)
        {
            _pointers.Add(source, new HeapPointer(target, value - _blocks[target].Address, location));
        }
    }
}
