namespace NativeHeap.Memory.Malloc;

/// <summary>An arena of the GNU C library's malloc.</summary>
/// <param name="State">Address of its struct malloc_state.</param>
/// <param name="IsMain">The one that grows by sbrk; its state lies in the library's data.</param>
/// <param name="Segments">What it manages: memory of blocks and free memory, chunk after chunk.</param>
/// <param name="Mapped">The same with the arena's own headers in front, and the state of the main arena apart.</param>
/// <param name="Top">Address of the chunk at the end of the last segment, which is free.</param>
/// <param name="FastBins">Chunks (their headers) at the heads of its ten lists of small free chunks; 0: none.</param>
public sealed record MallocArena(
    ulong State,
    bool IsMain,
    IReadOnlyList<AddressRange> Segments,
    IReadOnlyList<AddressRange> Mapped,
    ulong Top,
    IReadOnlyList<ulong> FastBins)
{
    /// <summary>Bytes of struct malloc_state (glibc 2.26 and later, x86-64).</summary>
    public const int StateBytes = 2200;
}

/// <summary>A chunk as it lies in an arena.</summary>
/// <param name="Address">Of its header; what malloc gives out lies 16 bytes further on.</param>
/// <param name="Bytes">From header to header.</param>
/// <param name="IsInUse">False: free, and merged with its neighbours. Chunks in the caches of threads and in fast bins
/// count as in use here, as malloc itself has it.</param>
public readonly record struct MallocChunk(ulong Address, ulong Bytes, bool IsInUse)
{
    /// <summary>Bytes from a chunk's address to what malloc gave out.</summary>
    public const ulong HeaderBytes = MallocLayout.HeaderBytes;

    /// <summary>What malloc gave out.</summary>
    public ulong User => Address + HeaderBytes;
}
