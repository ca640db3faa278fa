using System.Text;

namespace NativeHeap.Collect.Launching;

/// <summary>The first line of a script, read as the kernel reads it (fs/binfmt_script.c).</summary>
internal static class PreflightScript
{
    /// <summary>Bytes of a file that the kernel looks at (BINPRM_BUF_SIZE).</summary>
    internal const int LookedAt = 256;

    /// <summary>Interpreters of interpreters that the kernel follows.</summary>
    internal const int LongestChain = 5;

    /// <summary>True when the bytes begin as a script does.</summary>
    internal static bool IsScript(ReadOnlySpan<byte> start) => start.StartsWith("#!"u8);

    /// <summary>The interpreter's path; null when the line names none or is cut inside of its path.</summary>
    /// <param name="start">The file's first bytes, at most <see cref="LookedAt"/>.</param>
    internal static string? Interpreter(ReadOnlySpan<byte> start)
    {
        // An argument may be cut, a path may not: it could name another file.
        var line = start[2..];
        var end = line.IndexOfAny((byte)'\n', (byte)0);
        var cut = end < 0 && start.Length == LookedAt;
        line = (end < 0 ? line : line[..end]).TrimStart(" \t"u8);
        var space = line.IndexOfAny((byte)' ', (byte)'\t');
        if (line.IsEmpty || (cut && space < 0))
        {
            return null;
        }

        return Encoding.UTF8.GetString(space < 0 ? line : line[..space]);
    }
}
