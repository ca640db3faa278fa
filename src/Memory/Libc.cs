using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Memory;

/// <summary>The few system calls that the framework does not offer.</summary>
internal static partial class Libc
{
    internal const int CurrentDirectory = -100; // AT_FDCWD
    internal const int EmptyPath = 0x1000;      // AT_EMPTY_PATH
    internal const int NoFollow = 0x100;        // AT_SYMLINK_NOFOLLOW

    private const int OpenFlags = 0x80800; // O_RDONLY | O_CLOEXEC | O_NONBLOCK (x86-64 and arm64 agree)
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS

    /// <summary>Opens for reading without ever waiting for a writer.</summary>
    internal static SafeFileHandle? OpenForReading(string path, out string? problem)
    {
        problem = null;
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            problem = "the path holds a NUL";
            return null;
        }

        var descriptor = Open(path, OpenFlags, 0);
        if (descriptor < 0)
        {
            problem = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            return null;
        }

        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>statx(2): unlike struct stat its layout is the same on every machine.</summary>
    internal static unsafe FileStatus? Statx(int directory, string path, int flags, out string? problem)
    {
        problem = null;
        StatxBuffer buffer;
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            problem = "the path holds a NUL";
            return null;
        }

        if (Statx(directory, path, flags, BasicStats, &buffer) != 0)
        {
            problem = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            return null;
        }

        var kind = (buffer.Mode & 0xF000) switch
        {
            0x8000 => FileKind.Regular,
            0x4000 => FileKind.Directory,
            _ => FileKind.Other,
        };
        return new FileStatus(
            kind,
            (UnixFileMode)(buffer.Mode & 0xFFF),
            buffer.UserId,
            buffer.GroupId,
            buffer.Size > long.MaxValue ? long.MaxValue : (long)buffer.Size,
            ((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor,
            buffer.Inode);
    }

    /// <summary>An extended attribute; null when there is none, it is longer, or it cannot be read.</summary>
    internal static unsafe byte[]? ReadAttribute(string path, string name, int limit)
    {
        var buffer = new byte[limit];
        fixed (byte* start = buffer)
        {
            var count = GetAttribute(path, name, start, (nuint)limit);
            return count < 0 ? null : buffer[..(int)count];
        }
    }

    /// <summary>True when we may execute it, with our effective ids; also false on a noexec mount.</summary>
    internal static bool MayExecute(string path) =>
        AccessAt(CurrentDirectory, path, mode: 1, flags: 0x200) == 0; // X_OK, AT_EACCESS

    /// <summary>True when the mount has the flag of statvfs(3); false when that cannot be told.</summary>
    internal static unsafe bool HasMountFlag(string path, ulong flag)
    {
        // struct statvfs of 64-bit glibc: eleven words, the flags are the tenth; spare bytes follow.
        var words = stackalloc ulong[32];
        return StatVfs(path, words) == 0 && (words[9] & flag) != 0;
    }

    /// <summary>Private memory, zero-filled, for which large pages are asked; null when there is none.</summary>
    internal static unsafe byte* MapAnonymous(long bytes)
    {
        const int readWrite = 3, privateAnonymous = 0x22, hugePage = 14;
        var start = Map(null, (nuint)bytes, readWrite, privateAnonymous, -1, 0);
        if (start == (void*)-1)
        {
            return null;
        }

        _ = Advise(start, (nuint)bytes, hugePage);
        return (byte*)start;
    }

    internal static unsafe void Unmap(byte* start, long bytes) => _ = Unmap(start, (nuint)bytes);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static unsafe partial void* Map(void* at, nuint bytes, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static unsafe partial int Unmap(void* start, nuint bytes);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static unsafe partial int Advise(void* start, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "process_vm_readv", SetLastError = true)]
    internal static unsafe partial nint ReadProcess(
        int pid, Vector* local, nuint localCount, Vector* remote, nuint remoteCount, nuint flags);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    internal static unsafe partial nint ReadAt(SafeFileHandle file, byte* to, nuint bytes, long offset);

    [LibraryImport("libc", EntryPoint = "getxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial nint GetAttribute(string path, string name, byte* value, nuint size);

    [LibraryImport("libc", EntryPoint = "faccessat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AccessAt(int directory, string path, int mode, int flags);

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatVfs(string path, ulong* buffer);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int directory, string path, int flags, uint mask, StatxBuffer* buffer);

    /// <summary>struct iovec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct Vector
    {
        public void* Start;
        public nuint Bytes;
    }

    // struct statx of linux/stat.h, 256 bytes.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(20)]
        public uint UserId;

        [FieldOffset(24)]
        public uint GroupId;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
