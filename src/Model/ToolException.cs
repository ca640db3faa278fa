namespace NativeHeap.Model;

/// <summary>The exit codes of the command line , the same for every verb.</summary>
public static class ExitCodes
{
    /// <summary>Nothing went wrong.</summary>
    public const int Success = 0;

    /// <summary>A fault of ours.</summary>
    public const int Fault = 1;

    /// <summary>Bad usage.</summary>
    public const int Usage = 2;

    /// <summary>The target cannot be profiled.</summary>
    public const int Target = 3;

    /// <summary>A trace or another input cannot be read.</summary>
    public const int Input = 4;

    /// <summary>A check could not be completed.</summary>
    public const int Incomplete = 5;
}

/// <summary>
/// An error that was to be expected: the message is one line for a person, no stack trace is shown, and the tool ends
/// with <see cref="ExitCode"/>.
/// </summary>
public class ToolException : Exception
{
    /// <summary>An error with a message and an exit code.</summary>
    /// <param name="message">One line: what is wrong and, where there is a cure, what to do.</param>
    /// <param name="exitCode">One of <see cref="ExitCodes"/>.</param>
    /// <param name="inner">What caused it.</param>
    public ToolException(string message, int exitCode, Exception? inner = null)
        : base(message, inner)
    {
        ExitCode = exitCode;
    }

    /// <summary>What the tool exits with.</summary>
    public int ExitCode { get; }
}
