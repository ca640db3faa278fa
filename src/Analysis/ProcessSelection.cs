using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>The processes that a question is about: all, or the images of one pid.</summary>
internal sealed class ProcessSelection
{
    private readonly bool[] _selected;

    /// <exception cref="ToolException">The trace has no such pid (exit code 2).</exception>
    public ProcessSelection(TraceReader trace, int? pid)
    {
        _selected = [false, .. trace.Processes.Select(p => pid is null || p.Pid == pid)];
        Processes = [.. trace.Processes.Where(p => Contains(p.Id))];
        IsAll = pid is null;
        if (Processes.Count == 0)
        {
            var known = trace.Processes.Select(p => p.Pid).Distinct().Take(8).ToList();
            var more = trace.Processes.Select(p => p.Pid).Distinct().Count() - known.Count;
            throw new ToolException(
                $"{trace.Path} has no process {pid}; it has {string.Join(", ", known)}"
                + (more > 0 ? $" and {more} more" : ""),
                ExitCodes.Usage);
        }
    }

    /// <summary>True when no pid was asked for.</summary>
    public bool IsAll { get; }

    /// <summary>Never empty, by id.</summary>
    public IReadOnlyList<ProcessInfo> Processes { get; }

    /// <summary>The one of highest peak: the images of a pid follow each other, so it holds the pid's peak.</summary>
    public ProcessInfo Highest => Processes.MaxBy(p => p.Totals.Peak.Bytes)!;

    /// <summary>True when the question is about it.</summary>
    public bool Contains(ProcessId process) => _selected[process.Value];

    /// <summary>The last moment of them all.</summary>
    public long EndNs(TraceReader trace) => Processes.Max(p => p.EndNs ?? Math.Max(trace.LastNs, p.StartNs));
}
