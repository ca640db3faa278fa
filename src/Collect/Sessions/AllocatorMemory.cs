using NativeHeap.Memory;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>How the resident memory of allocators divides, by the blocks that a recording knows to be alive. Each page is
/// looked up in the kernel's page map; nothing of the process itself is read.</summary>
/// <param name="LiveBytes">Resident requested bytes of live blocks, of whatever allocator.</param>
/// <param name="OverheadBytes">What malloc adds to its live blocks: a header each, and what rounds them up. By malloc's
/// rules, not by its memory: a block may have up to 16 bytes more.</param>
/// <param name="KeptBytes">The rest of malloc's memory: free, or freed and kept.</param>
/// <param name="OtherAllocatorBytes">The rest of anonymous mappings in which other allocators have live blocks.</param>
/// <param name="UntouchedBytes">Requested bytes of live blocks on pages that were never touched, or were given back.</param>
internal sealed record AllocatorMemory(
    long LiveBytes, long OverheadBytes, long KeptBytes, long OtherAllocatorBytes, long UntouchedBytes)
{
    private const ulong PageBytes = PageMap.PageBytes;
    private const ulong HeaderBytes = 16;
    private const ulong LeastLarge = 64 * 1024; // malloc's own threshold is 128 KiB and rises

    /// <summary>Divides it.</summary>
    /// <param name="blocks">Live blocks; they are put in order.</param>
    /// <param name="resident">A look at the process at about the same moment.</param>
    /// <param name="pages">Of the process.</param>
    public static AllocatorMemory Of(HeapBlocks blocks, ResidentMemory resident, PageMap pages)
    {
        blocks.Sort();
        var window = new PageWindow(pages);
        var arenas = new Cursor([.. resident.Malloc.Arenas]);
        var large = new Cursor([.. resident.Malloc.Large]);
        var others = new Cursor([.. resident.Anonymous.Select(mapping => mapping.Range)]);
        var foreign = new HashSet<int>();
        long inMalloc = 0, inForeign = 0, shared = 0, overhead = 0, untouched = 0;
        for (var i = 0; i < blocks.Count; i++)
        {
            var (address, bytes) = (blocks[i].Address, blocks[i].Bytes);
            var (here, never) = window.Count(address, bytes);
            untouched += never;
            if (arenas.Find(address) >= 0)
            {
                inMalloc += here;
                overhead += window.IsResident(address - 8) ? (long)(ChunkBytes(bytes) - bytes) : 0;
            }
            else if (large.Find(address) >= 0)
            {
                inMalloc += here;
                overhead += (long)HeaderBytes + (window.IsResident(address + bytes) ? Tail(address, bytes) : 0);
            }
            else if (others.Find(address) is var mapping && mapping >= 0 && !resident.Anonymous[mapping].IsGcHeap)
            {
                // A large block of malloc's own may lie in one mapping with somebody else's memory.
                if (bytes >= LeastLarge && address % PageBytes == HeaderBytes && resident.Malloc.Arenas.Count > 0)
                {
                    shared += here;
                }
                else
                {
                    foreign.Add(mapping);
                    inForeign += here;
                }
            }
        }

        // The process runs on while it is looked at: the parts of a whole are never more than that.
        inMalloc = Math.Min(inMalloc, resident.MallocBytes);
        overhead = Math.Min(overhead, resident.MallocBytes - inMalloc);
        var mapped = foreign.Sum(mapping => resident.Anonymous[mapping].ResidentBytes);
        inForeign = Math.Min(inForeign, mapped);
        shared = Math.Min(shared, resident.AnonymousBytes - mapped);
        return new AllocatorMemory(
            inMalloc + inForeign + shared, overhead, resident.MallocBytes - inMalloc - overhead, mapped - inForeign, untouched);
    }

    /// <summary>The parts of a look, with those of allocators divided.</summary>
    public IEnumerable<LedgerPart> Divide(ResidentMemory resident) =>
    [
        new LedgerPart(LedgerParts.Live, LiveBytes),
        new LedgerPart(LedgerParts.Overhead, OverheadBytes),
        new LedgerPart(LedgerParts.Kept, KeptBytes),
        new LedgerPart(LedgerParts.OtherAllocators, OtherAllocatorBytes),
        .. resident.Parts.Where(part => part.Name != LedgerParts.Malloc).Select(part => new LedgerPart(
            part.Name,
            part.Name == LedgerParts.Anonymous
                ? part.Bytes - OtherAllocatorBytes - (LiveBytes + OverheadBytes + KeptBytes - resident.MallocBytes)
                : part.Bytes)),
    ];

    // request2size of malloc/malloc.c: a word for the size, whole 16 bytes, and never less than 32.
    private static ulong ChunkBytes(ulong bytes) => Math.Max(32, (bytes + 8 + 15) & ~15UL);

    // A large block is whole pages, with a header of 16 bytes at the start (sysmalloc_mmap).
    private static long Tail(ulong address, ulong bytes)
    {
        var start = address - HeaderBytes;
        var end = (start + ((bytes + 8 + 15) & ~15UL) + 8 + PageBytes - 1) & ~(PageBytes - 1);
        return (long)(end - address - bytes);
    }

    // Addresses come in rising order.
    private struct Cursor(AddressRange[] ranges)
    {
        private int _at;

        public int Find(ulong address)
        {
            while (_at < ranges.Length && ranges[_at].End <= address)
            {
                _at++;
            }

            return _at < ranges.Length && ranges[_at].Start <= address ? _at : -1;
        }
    }
}
