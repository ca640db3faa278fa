using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>
/// The edges at which cohorts answer exactly. Edge k is the time k × width: what was born in a bucket below k and died
/// in none below k was alive then.
/// </summary>
internal readonly struct BucketEdges
{
    private readonly TraceReader _trace;

    public BucketEdges(TraceReader trace, long endNs)
    {
        _trace = trace;
        WidthNs = trace.Info.BucketNs
            ?? throw new TraceException(trace.Path, "damaged (it does not say how wide its buckets of time are)");
        EndNs = endNs;
    }

    /// <summary>Width of a bucket.</summary>
    public long WidthNs { get; }

    /// <summary>The end of what is asked about.</summary>
    public long EndNs { get; }

    /// <summary>The time of an edge.</summary>
    public long TimeOf(long edge) => edge * WidthNs;

    /// <summary>The edge nearest to a time, but none after the end.</summary>
    /// <exception cref="ToolException">The time is after the end (exit code 2).</exception>
    public long Nearest(string option, long timeNs)
    {
        CheckNotAfterEnd(option, timeNs);
        var edge = timeNs / WidthNs;
        var next = edge + 1;
        return timeNs - (edge * WidthNs) > WidthNs / 2 && next <= EndNs / WidthNs ? next : edge;
    }

    /// <summary>The last edge not after a time.</summary>
    /// <exception cref="ToolException">The time is after the end (exit code 2).</exception>
    public long Below(string option, long timeNs)
    {
        CheckNotAfterEnd(option, timeNs);
        return timeNs / WidthNs;
    }

    /// <summary>The first edge not before a time; null when that is after the end, which is known exactly itself.</summary>
    public long? Above(long timeNs)
    {
        var edge = (timeNs / WidthNs) + (timeNs % WidthNs == 0 ? 0 : 1);
        return edge > EndNs / WidthNs ? null : edge;
    }

    private void CheckNotAfterEnd(string option, long timeNs)
    {
        if (timeNs > EndNs)
        {
            throw new ToolException(
                $"{option} is after the end of {_trace.Path} ({EndNs / 1e9:0.###} s)", ExitCodes.Usage);
        }
    }
}
