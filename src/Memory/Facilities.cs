using System.Runtime.InteropServices;

namespace NativeHeap.Memory;

/// <summary>What kernel and C library can do, tried out.</summary>
public static partial class Facilities
{
    private const int WipeOnFork = 18; // MADV_WIPEONFORK, Linux 4.14

    /// <summary>Version of our own glibc, such as 2.36; null when our libc is another.</summary>
    public static string? GlibcVersion()
    {
        try
        {
            return Marshal.PtrToStringUTF8(GetLibcVersion());
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>True when a page can be marked to read as zeros in forked children.</summary>
    public static unsafe bool CanWipeOnFork()
    {
        var size = (nuint)Environment.SystemPageSize;
        var page = Map(null, size, protection: 3, flags: 0x22, descriptor: -1, offset: 0); // private, anonymous
        if (page == (void*)-1)
        {
            return false;
        }

        var done = Advise(page, size, WipeOnFork) == 0;
        _ = Unmap(page, size);
        return done;
    }

    [LibraryImport("libc", EntryPoint = "gnu_get_libc_version")]
    private static partial nint GetLibcVersion();

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static unsafe partial void* Map(
        void* address, nuint size, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static unsafe partial int Advise(void* address, nuint size, int advice);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static unsafe partial int Unmap(void* address, nuint size);
}
