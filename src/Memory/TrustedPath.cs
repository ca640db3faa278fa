using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory;

/// <summary>
/// Whose code may be loaded into this process: that of programs which run as we do already, and files that nobody but root and
/// ourselves could have put where they are.
/// </summary>
public static class TrustedPath
{
    /// <summary>Whether a process is of our user in every way (real, effective, saved): what it has loaded itself is no news.
    /// </summary>
    /// <param name="pid">In our pid namespace.</param>
    public static bool IsOfOurUser(int pid) =>
        new ProcessReader(pid).ReadStatus()?.UserIds is { Count: >= 3 } ids && OwnUser() is { } own && ids.Take(3).All(id => id == own);

    /// <summary>Looks at a file and at each folder above it.</summary>
    /// <param name="path">Absolute, without links: a link on the way is a problem, for it may be changed.</param>
    /// <returns>Why somebody else may have put it there, in words; null when nobody can.</returns>
    public static string? Problem(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!path.StartsWith('/') || OwnUser() is not { } own)
        {
            return $"{path} cannot be judged";
        }

        var kind = FileKind.Regular;
        for (var at = path; at is not null; at = Path.GetDirectoryName(at), kind = FileKind.Directory)
        {
            if (FileStatus.TryReadItself(at, out var error) is not { } status)
            {
                return $"{at}: {error}";
            }

            if (status.Kind != kind || (status.UserId != 0 && status.UserId != own) || MayBeChanged(status))
            {
                return $"{at} is not root's or ours alone";
            }
        }

        return null;
    }

    // In a sticky folder, such as /tmp, everybody may only take away what is his own.
    private static bool MayBeChanged(FileStatus status) => status.Mode.HasFlag(UnixFileMode.OtherWrite)
        && !(status.Kind == FileKind.Directory && status.Mode.HasFlag(UnixFileMode.StickyBit));

    private static uint? OwnUser() => new ProcessReader(Environment.ProcessId).ReadStatus()?.UserIds?.ElementAtOrDefault(1);
}
