using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>A trace that cannot be read: the message names the file and says why, in one line; exit code 4.</summary>
public sealed class TraceException : ToolException
{
    /// <summary>A trace that cannot be read.</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <param name="reason">What is wrong with it, to stand after the name and a colon.</param>
    /// <param name="inner">What caused it.</param>
    public TraceException(string path, string reason, Exception? inner = null)
        : base($"{path}: {reason}", ExitCodes.Input, inner)
    {
        Path = path;
    }

    /// <summary>The file, as the user named it.</summary>
    public string Path { get; }
}
