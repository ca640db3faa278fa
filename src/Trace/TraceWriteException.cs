using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>A trace that cannot be written, or not any further: the message names the file and says why, in one line.
/// What was committed before stays whole.</summary>
public sealed class TraceWriteException : ToolException
{
    /// <summary>A trace that cannot be written.</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <param name="reason">What went wrong, to stand after the name and a colon.</param>
    /// <param name="exitCode">One of <see cref="ExitCodes"/>.</param>
    /// <param name="inner">What caused it.</param>
    public TraceWriteException(string path, string reason, int exitCode, Exception? inner = null)
        : base($"{path}: {reason}", exitCode, inner)
    {
        Path = path;
    }

    /// <summary>The file, as the user named it.</summary>
    public string Path { get; }
}
