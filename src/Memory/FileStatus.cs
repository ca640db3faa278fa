using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Memory;

/// <summary>What a path leads to.</summary>
public enum FileKind
{
    /// <summary>An ordinary file.</summary>
    Regular,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A fifo, socket, device or anything else.</summary>
    Other,
}

/// <summary>The part of statx(2) that decides whether and as whom a file may be executed.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Mode">Permission bits with setuid, setgid and sticky (07777).</param>
/// <param name="UserId">Owner.</param>
/// <param name="GroupId">Group.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Device">Device number, major in the upper half.</param>
/// <param name="Inode">Inode number.</param>
public readonly record struct FileStatus(
    FileKind Kind, UnixFileMode Mode, uint UserId, uint GroupId, long Size, ulong Device, ulong Inode)
{
    /// <summary>Status of what <paramref name="path"/> leads to, links followed.</summary>
    /// <param name="path">The path.</param>
    /// <param name="problem">The system's words for the error; null on success.</param>
    public static FileStatus? TryRead(string path, out string? problem) =>
        Libc.Statx(Libc.CurrentDirectory, path, 0, out problem);

    /// <summary>Status of what stands at <paramref name="path"/>: a link's own (<see cref="FileKind.Other"/>), not what it leads to.
    /// </summary>
    /// <param name="path">The path.</param>
    /// <param name="problem">The system's words for the error; null on success.</param>
    public static FileStatus? TryReadItself(string path, out string? problem) =>
        Libc.Statx(Libc.CurrentDirectory, path, Libc.NoFollow, out problem);

    /// <summary>True when we may execute what the path leads to.</summary>
    /// <param name="path">The path; links are followed.</param>
    public static bool MayExecute(string path) => Libc.MayExecute(path);

    /// <summary>True when it lies on a mount where setuid bits and file capabilities give nothing (nosuid).</summary>
    /// <param name="path">The path; links are followed.</param>
    public static bool IgnoresPrivileges(string path) => Libc.HasMountFlag(path, flag: 2); // ST_NOSUID

    /// <summary>Status of an open file.</summary>
    /// <param name="handle">The file.</param>
    /// <param name="problem">The system's words for the error; null on success.</param>
    public static FileStatus? TryRead(SafeFileHandle handle, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(handle);
        var held = false;
        try
        {
            handle.DangerousAddRef(ref held);
            return Libc.Statx((int)handle.DangerousGetHandle(), string.Empty, Libc.EmptyPath, out problem);
        }
        finally
        {
            if (held)
            {
                handle.DangerousRelease();
            }
        }
    }
}
