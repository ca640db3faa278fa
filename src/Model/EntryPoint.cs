namespace NativeHeap.Model;

/// <summary>The allocation functions. The values are the wire's (<c>enum marker</c> in records.def).</summary>
public enum EntryPoint
{
    /// <summary>malloc, and operator new through it.</summary>
    Malloc = 1,

    /// <summary>calloc.</summary>
    Calloc = 2,

    /// <summary>realloc.</summary>
    Realloc = 3,

    /// <summary>reallocarray.</summary>
    ReallocArray = 4,

    /// <summary>posix_memalign.</summary>
    PosixMemalign = 5,

    /// <summary>aligned_alloc.</summary>
    AlignedAlloc = 6,

    /// <summary>memalign.</summary>
    Memalign = 7,

    /// <summary>valloc.</summary>
    Valloc = 8,

    /// <summary>pvalloc.</summary>
    Pvalloc = 9,

    /// <summary>A pool of the program's own, which tells of its blocks (native/include/nativeheap.h). They lie in blocks or
    /// mappings that are counted, too.</summary>
    Pool = 10,

    /// <summary>mmap or mremap of anonymous memory. Mappings are counted apart from blocks.</summary>
    Mmap = 11,

    /// <summary>mmap of addresses without access (PROT_NONE): reserved, with no memory behind.</summary>
    MmapNone = 12,
}

/// <summary>The C names of <see cref="EntryPoint"/>.</summary>
public static class EntryPoints
{
    /// <summary>The function's name in C, for instance <c>posix_memalign</c>.</summary>
    public static string Name(this EntryPoint entry) => entry switch
    {
        EntryPoint.Malloc => "malloc",
        EntryPoint.Calloc => "calloc",
        EntryPoint.Realloc => "realloc",
        EntryPoint.ReallocArray => "reallocarray",
        EntryPoint.PosixMemalign => "posix_memalign",
        EntryPoint.AlignedAlloc => "aligned_alloc",
        EntryPoint.Memalign => "memalign",
        EntryPoint.Valloc => "valloc",
        EntryPoint.Pvalloc => "pvalloc",
        EntryPoint.Pool => "pool",
        EntryPoint.Mmap => "mmap",
        EntryPoint.MmapNone => "mmap (no access)",
        _ => throw new ArgumentOutOfRangeException(nameof(entry)),
    };
}
