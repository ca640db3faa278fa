namespace NativeHeap.Memory;

/// <summary>Memory in large pages where the system has them: a page fault each 2 MiB and not each 4 KiB.</summary>
public static unsafe class LargePages
{
    /// <summary>Allocates.</summary>
    /// <exception cref="InsufficientMemoryException">There is none.</exception>
    public static byte* Allocate(long bytes)
    {
        var start = Libc.MapAnonymous(bytes);
        return start is not null ? start : throw new InsufficientMemoryException("no memory for a copy of the target's");
    }

    /// <summary>Frees what was allocated.</summary>
    public static void Free(byte* start, long bytes) => Libc.Unmap(start, bytes);
}
