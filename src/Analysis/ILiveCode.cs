using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>Names code that a process compiled, as long as it lives: a trace has those names when it is closed.</summary>
public interface ILiveCode
{
    /// <summary>The process, by the trace's pid.</summary>
    int Pid { get; }

    /// <summary>Names places in code that was never given up.</summary>
    /// <param name="addresses">Return addresses in the process.</param>
    /// <returns>The names of those that have one.</returns>
    IReadOnlyDictionary<ulong, ResolvedFrame> Name(IReadOnlyCollection<ulong> addresses);
}
