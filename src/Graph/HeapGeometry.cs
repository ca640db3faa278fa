using System.Runtime.CompilerServices;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Malloc;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>
/// Compares the blocks that were recorded with what malloc itself says. In its arenas free memory holds left-overs and is
/// no root; memory in use that nobody saw allocated is; and a block that malloc says is free is gone: its end was under
/// way when the process was stopped.
/// </summary>
internal sealed class HeapGeometry
{
    private readonly List<AddressRange> _unseen = [];

    /// <summary>Memory in use that is no recorded block.</summary>
    public IReadOnlyList<AddressRange> Unseen => _unseen;

    /// <summary>Memory of the arenas; beside <see cref="Unseen"/> none of it is a root.</summary>
    public List<AddressRange> Arenas { get; } = [];

    /// <summary>Remarks for a person.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>Walks the arenas.</summary>
    /// <param name="memory">Of a process that does not run.</param>
    /// <param name="heap">Its arenas.</param>
    /// <param name="blocks">By rising address; those that are gone get <see cref="BlockState.Gone"/>.</param>
    public static HeapGeometry Read(IMemoryReader memory, MallocHeap heap, HeapBlocks blocks)
    {
        var geometry = new HeapGeometry();
        var caches = new MallocCaches(memory);
        var unknown = new List<MallocChunk>();
        foreach (var arena in heap.Arenas)
        {
            caches.AddFastBins(arena);
            geometry.Arenas.AddRange(arena.Mapped);
            if (arena.IsMain)
            {
                geometry.Arenas.Add(new AddressRange(arena.State, arena.State + MallocArena.StateBytes));
            }

            foreach (var segment in arena.Segments)
            {
                geometry.Compare(heap, arena, segment, blocks, caches, unknown);
            }
        }

        foreach (var user in caches.Free)
        {
            if (IndexOf(blocks, user) is var index and >= 0)
            {
                BlockState.Set(ref blocks[index], BlockState.Gone);
            }
        }

        geometry._unseen.AddRange(unknown.Where(chunk => !caches.Free.Contains(chunk.User))
            .Select(chunk => new AddressRange(chunk.User, chunk.Address + chunk.Bytes + 8)));
        return geometry;
    }

    // Where malloc's chunks cannot be followed, memory counts as the program's own up to the next block, if there is one.
    private void Compare(
        MallocHeap heap, MallocArena arena, AddressRange segment, HeapBlocks blocks, MallocCaches caches, List<MallocChunk> unknown)
    {
        var next = FirstFrom(blocks, segment.Start);
        for (var at = segment.Start; at < segment.End;)
        {
            var walk = heap.Walk(arena, new AddressRange(at, segment.End));
            Compare(walk, blocks, ref next, caches, unknown);
            if (walk.IsComplete)
            {
                return;
            }

            var start = walk.Position;
            if (next < blocks.Count && blocks[next].Address - MallocChunk.HeaderBytes == start)
            {
                start = blocks[next++].End; // its own header is what cannot be
            }

            at = next < blocks.Count && blocks[next].Address < segment.End
                ? blocks[next].Address - MallocChunk.HeaderBytes : segment.End;
            if (start < at)
            {
                _unseen.Add(new AddressRange(start, at));
                if (!walk.IsAtForeignBreak)
                {
                    Notes = [.. Notes, $"malloc's memory from 0x{start:x} to 0x{at:x} could not be read chunk by chunk: its free memory counts as holding pointers"];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    private static void Compare(
        MallocWalk walk, HeapBlocks blocks, ref int next, MallocCaches caches, List<MallocChunk> unknown)
    {
        while (walk.TryNext(out var chunk))
        {
            while (next < blocks.Count && blocks[next].Address < chunk.User)
            {
                BlockState.Set(ref blocks[next++], BlockState.Gone); // no chunk begins there
            }

            var isKnown = next < blocks.Count && blocks[next].Address == chunk.User;
            if (isKnown)
            {
                if (!chunk.IsInUse)
                {
                    BlockState.Set(ref blocks[next], BlockState.Gone);
                }

                next++;
            }
            else if (chunk.IsInUse && !caches.TryAddCache(chunk))
            {
                unknown.Add(chunk);
            }
        }
    }

    private static int FirstFrom(HeapBlocks blocks, ulong address)
    {
        int low = 0, high = blocks.Count;
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = blocks[middle].Address < address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private static int IndexOf(HeapBlocks blocks, ulong address)
    {
        var index = FirstFrom(blocks, address);
        return index < blocks.Count && blocks[index].Address == address ? index : -1;
    }
}
