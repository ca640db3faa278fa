using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Malloc;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>The blocks that the C library's malloc has given out, by its own chunks: for a process whose allocations nobody
/// recorded. They have no stacks, and their sizes are what the allocator made of the requested ones.</summary>
public static class AllocatorBlocks
{
    /// <summary>No stack.</summary>
    public const int NoStack = -1;

    private const ulong SizeWordBytes = 8; // of the chunk after a used one the first word belongs to the user
    private const ulong HeaderBytes = 16;
    private const ulong FlagBits = 7;
    private const ulong IsMapped = 2;
    private const ulong SmallestMapped = 32 * 1024; // mallopt may lower the threshold of 128 KiB

    /// <summary>Lists them.</summary>
    /// <param name="arenas">A copy of the arenas' memory.</param>
    /// <param name="memory">Of a process that does not run: of each mapping a few words are looked at.</param>
    /// <param name="heap">Its arenas.</param>
    /// <param name="mappings">Its mappings.</param>
    /// <returns>The caller's; by rising address.</returns>
    public static HeapBlocks Of(IMemoryReader arenas, IMemoryReader memory, MallocHeap heap, IReadOnlyList<MemoryMapping> mappings)
    {
        ArgumentNullException.ThrowIfNull(arenas);
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(heap);
        ArgumentNullException.ThrowIfNull(mappings);
        var chunks = new NativeList<MallocChunk>();
        using (chunks)
        {
            var caches = new MallocCaches(arenas);
            foreach (var arena in heap.Arenas)
            {
                caches.AddFastBins(arena);
                foreach (var segment in arena.Segments)
                {
                    AddChunks(heap.Walk(arena, segment), caches, chunks);
                }
            }

            var blocks = new HeapBlocks(chunks.Count);
            foreach (var chunk in chunks.Items)
            {
                if (!caches.Free.Contains(chunk.User))
                {
                    blocks.Add(chunk.User, chunk.Bytes - SizeWordBytes, NoStack);
                }
            }

            if (heap.Arenas.Count > 0)
            {
                AddMapped(memory, heap, mappings, blocks);
            }

            blocks.Sort();
            return blocks;
        }
    }

    private static void AddChunks(MallocWalk walk, MallocCaches caches, NativeList<MallocChunk> chunks)
    {
        while (walk.TryNext(out var chunk))
        {
            if (chunk.IsInUse && !caches.TryAddCache(chunk))
            {
                chunks.Add(chunk);
            }
        }
    }

    // A large block is a mapping of its own (several of them may look like one to the kernel): its header has the flag for
    // that, nothing before it, and a size of whole pages that ends within the mapping.
    private static void AddMapped(
        IMemoryReader memory, MallocHeap heap, IReadOnlyList<MemoryMapping> mappings, HeapBlocks blocks)
    {
        Span<ulong> header = stackalloc ulong[2];
        var arenas = new RangeSet();
        foreach (var range in heap.Arenas.SelectMany(arena => arena.Mapped))
        {
            arenas.Exclude(range);
        }

        foreach (var mapping in mappings.Where(mapping =>
            mapping is { IsReadable: true, IsWritable: true, IsShared: false, Path.Length: 0 }))
        {
            foreach (var range in arenas.Rest(new AddressRange(mapping.Start, mapping.End)))
            {
                for (var at = range.Start; at < range.End && memory.ReadWords(at, header) == header.Length;)
                {
                    var bytes = header[1] & ~FlagBits;
                    if (header[0] != 0 || (header[1] & FlagBits) != IsMapped || bytes < SmallestMapped
                        || bytes % PageMap.PageBytes != 0 || bytes > range.End - at)
                    {
                        break;
                    }

                    blocks.Add(at + HeaderBytes, bytes - HeaderBytes, NoStack);
                    at += bytes;
                }
            }
        }
    }
}
