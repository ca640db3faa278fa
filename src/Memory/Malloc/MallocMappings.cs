using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Malloc;

/// <summary>What the GNU C library's malloc has from the kernel.</summary>
/// <param name="Arenas">Its arenas, by rising address.</param>
/// <param name="Large">Large blocks that are mappings of their own, by rising address.</param>
public sealed record MallocMemory(IReadOnlyList<AddressRange> Arenas, IReadOnlyList<AddressRange> Large)
{
    /// <summary>Nothing: another malloc is in use, or nobody may look.</summary>
    public static MallocMemory None { get; } = new([], []);
}

/// <summary>
/// What the GNU C library's malloc has from the kernel: its arenas, and large blocks that are mappings of their own. The
/// process may run meanwhile; then what it maps or unmaps in this moment may be missed.
/// </summary>
public static class MallocMappings
{
    private const ulong PageBytes = 4096;
    private const int MostBlocks = 1 << 16;

    /// <summary>Finds the ranges; none when this malloc is not in use or we may not look.</summary>
    /// <param name="memory">Of the process.</param>
    /// <param name="mappings">Its mappings.</param>
    public static MallocMemory Find(IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings)
    {
        ArgumentNullException.ThrowIfNull(mappings);
        var arenas = MallocHeap.Read(memory, mappings).Arenas;
        if (arenas.Count == 0)
        {
            return MallocMemory.None;
        }

        return new MallocMemory(
            [.. arenas.SelectMany(arena => arena.Mapped).OrderBy(range => range.Start)],
            [.. mappings.Where(IsPlain).Select(mapping => LargeBlocks(memory, mapping)).Where(range => range.Bytes > 0)]);
    }

    private static bool IsPlain(MemoryMapping mapping) =>
        mapping.IsReadable && mapping.IsWritable && !mapping.IsExecutable && !mapping.IsShared
        && (mapping.Path.Length == 0 || mapping.Path == "[anon: glibc: malloc]");

    // The kernel joins mappings that touch, so one may hold several such blocks. Each begins with a header whose size is
    // whole pages and whose flag says what it is (malloc/malloc.c, sysmalloc_mmap); in front of an aligned one is a gap of
    // which the first word tells the size.
    private static AddressRange LargeBlocks(IMemoryReader memory, MemoryMapping mapping)
    {
        Span<ulong> header = stackalloc ulong[2];
        var at = mapping.Start;
        for (var i = 0; i < MostBlocks && at < mapping.End && memory.ReadWords(at, header) == 2; i++)
        {
            var bytes = header[1] & MallocLayout.SizeMask;
            var isBlock = (header[1] & ~MallocLayout.SizeMask) == MallocLayout.IsMapped && header[0] == 0
                && bytes is >= PageBytes && bytes % PageBytes == 0 && bytes <= mapping.End - at;
            if (!isBlock)
            {
                break;
            }

            at += bytes;
        }

        return new AddressRange(mapping.Start, at);
    }
}
