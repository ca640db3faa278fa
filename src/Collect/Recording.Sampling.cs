using NativeHeap.Collect.Sessions;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <content>Which births are recorded.</content>
public sealed partial class Recording
{
    private long _coarsest; // mean bytes between samples at any time

    /// <summary>Has births of a process and of those that share its region (what was forked from it, and from what) recorded at
    /// another rate from now on. Frees are told of all blocks that were recorded, whenever that was.</summary>
    /// <param name="process">The process.</param>
    /// <param name="meanBytes">Mean bytes between samples, 1 TiB at most; 0: every birth.</param>
    /// <param name="reason">One of <see cref="SamplingReasons"/>.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    /// <returns>False when nothing changed: it was so already, or the process has ended.</returns>
    public bool Sample(ProcessId process, long meanBytes, string reason, ulong clockNs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(meanBytes);
        if (_drain.Find(process) is not { HasEnded: false } tracked)
        {
            return false;
        }

        var timeNs = RelativeNs(clockNs);
        var why = reason == SamplingReasons.Overhead ? ", to bound the overhead" : "";
        tracked.Region.Sampling.WasAsked |= reason == SamplingReasons.Asked;
        var changed = tracked.Region.Sample((ulong)meanBytes, why, clockNs, timeNs);
        _shared.Sampling.AddRange(changed.Select(each => new SamplingRow(each.Id, timeNs, meanBytes, reason)));
        if (changed.Count > 0 && meanBytes != 0)
        {
            _coarsest = Math.Max(_coarsest, meanBytes);
            _committer.Batch.Meta.Add(("exact", 0));
            _committer.Batch.Meta.Add(("sample_bytes", _coarsest));
        }

        return changed.Count > 0;
    }

    /// <summary>Whether births of a process were sampled at any time: most of its blocks may be unknown.</summary>
    public bool WasSampled(ProcessId process) => _drain.Find(process)?.Region.Sampling.WasSampled == true;

    /// <summary>How many births and deaths of a process were recorded because all are.</summary>
    /// <returns>Null when births are sampled now, when somebody has said how they are to be recorded, or it has ended.</returns>
    internal EventCounts? CountAll(ProcessId process)
    {
        if (_drain.Find(process) is not { HasEnded: false, Region.Sampling: { Mean: 0, WasAsked: false } } tracked)
        {
            return null;
        }

        var region = _drain.Processes.Where(other => other.Region == tracked.Region && !other.HasEnded);
        return new EventCounts(
            tracked.Heap.Allocations, tracked.Heap.Frees, region.Sum(other => other.Heap.Allocations), tracked.Region.View.NodeCount);
    }
}
