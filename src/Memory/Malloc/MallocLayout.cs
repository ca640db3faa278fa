namespace NativeHeap.Memory.Malloc;

/// <summary>
/// How the GNU C library's malloc lays out its memory on x86-64, from glibc 2.26 on (malloc/malloc.c, malloc/arena.c):
/// struct malloc_state, struct _heap_info, struct malloc_chunk and struct tcache_perthread_struct.
/// </summary>
internal static class MallocLayout
{
    // struct malloc_chunk: the size word's low bits say whether the chunk before is in use, this one is a mapping of
    // its own, or belongs to another arena than the main one.
    public const ulong HeaderBytes = 16;
    public const ulong SmallestChunk = 32;
    public const ulong PreviousInUse = 1;
    public const ulong IsMapped = 2;
    public const ulong SizeMask = ~7UL;

    // struct malloc_state, in words.
    public const int FastBins = 2;
    public const int FastBinCount = 10;
    public const int Top = 12;
    public const int Bins = 14;
    public const int BinCount = 127;
    public const int Next = 270;
    public const int SystemBytes = 273;
    public const int StateWords = 275;

    // struct _heap_info: the arena, the heap before, bytes. Heaps of the other arenas lie at multiples of their size.
    public const ulong HeapAlignment = 64UL << 20;

    // struct tcache_perthread_struct: 64 counts of 16 bits, then 64 lists (glibc 2.30 to 2.41).
    public const int CacheLists = 64;
    public const int CacheWords = 80;
    public const ulong CacheChunkBytes = 0x290;
}
