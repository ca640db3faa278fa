using NativeHeap.Memory;

namespace NativeHeap.Collect.Server;

/// <summary>Whether a folder is one in which nobody but root and ourselves can put things in the place of ours.</summary>
public static class PrivatePlace
{
    /// <summary>Looks at a folder.</summary>
    /// <param name="folder">The folder; links are followed.</param>
    /// <returns>Why it must not be trusted, in words; null when it may be.</returns>
    public static string? Problem(string folder)
    {
        if (FileStatus.TryRead(folder, out var error) is not { } status)
        {
            return $"{folder}: {error}";
        }
        if (status.Kind != FileKind.Directory)
        {
            return $"{folder} is not a folder";
        }
        if (status.UserId != 0 && status.UserId != Libc.GetUserId())
        {
            return $"{folder} belongs to another user, who could replace what is in it";
        }
        // In a sticky folder, such as /tmp, everybody may only take away what is his own.
        return status.Mode.HasFlag(UnixFileMode.OtherWrite) && !status.Mode.HasFlag(UnixFileMode.StickyBit)
            ? $"everybody can write to {folder}: take that right away (chmod o-w)"
            : null;
    }
}
