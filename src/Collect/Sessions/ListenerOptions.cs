using NativeHeap.Trace;

namespace NativeHeap.Collect.Sessions;

/// <summary>What a <see cref="Listener"/> needs of its owner.</summary>
public sealed record ListenerOptions
{
    /// <summary>How processes are recorded.</summary>
    public required SessionOptions Recording { get; init; }

    /// <summary>Makes the trace of a program that has come. On the poll thread, while the program waits. A
    /// <see cref="TraceWriteException"/> leaves it unprofiled.</summary>
    public required Func<Newcomer, TraceWriter> Create { get; init; }

    /// <summary>Sets the texts of a new trace.</summary>
    public required Action<TraceSession, Newcomer> Describe { get; init; }

    /// <summary>Ends a trace: <see cref="TraceSession.Finish"/>, names, <see cref="Recording.Close"/>. On a thread of its
    /// own, one trace at a time; the writer is disposed afterwards. The token is cancelled when nobody wants to wait.</summary>
    public required Action<TraceSession, CancellationToken> Conclude { get; init; }

    /// <summary>Calls the processes that a collector before this one has recorded: given what stands for our socket in the
    /// names of their regions. On a thread of its own, while newcomers are welcomed; the token is cancelled when the listener
    /// is to end, which waits for it. Null: nobody does.</summary>
    public Action<string, CancellationToken>? TakeOver { get; init; }

    /// <summary>Told what went wrong while others are recorded on. Any thread.</summary>
    public required Action<string> Warn { get; init; }
}

/// <summary>A program that others have started, and that wants to be recorded.</summary>
/// <param name="Pid">In our pid namespace; in its own where it has none in ours.</param>
/// <param name="Name">Of its executable, without folders; may hold anything but a slash.</param>
/// <param name="Command">Its arguments; empty when they cannot be read.</param>
public sealed record Newcomer(int Pid, string Name, IReadOnlyList<string> Command);
