namespace NativeHeap.Collect.Heap;

/// <summary>The part of a process in the lower bound, to be added up over the processes of a trace.</summary>
/// <param name="Floor">What it had at least, throughout the passes around the one that is settled.</param>
/// <param name="Rise">What it had more than that at some moment of the settled pass.</param>
internal readonly record struct LowBound(long Floor, long Rise)
{
    /// <summary>No more than the process's peak.</summary>
    public long Total => Floor + Rise;
}

/// <summary>
/// Bounds of a peak over several rings, whose order against each other nobody knows. A pass of the drain reads all
/// heads and then everything up to them. All heads of pass k were read before any of pass k + 1, so at any moment
/// every ring is within its part of pass k or of pass k + 1 for some k:
/// the total is at most the sum of each ring's largest partial sum in these two. When one ring stands at its largest
/// sum of pass k, every other is within its parts of k - 1, k and k + 1: the total is at least that sum plus their
/// smallest. With one ring both are the exact peak. For one thread.
/// </summary>
internal sealed class PeakInterval
{
    /// <summary>How far the lower bound lags: deaths that waited less than this are accounted for in it.</summary>
    public const int Lag = StreamSums.History - 5;

    /// <summary>No less than the peak up to the last pass.</summary>
    public long High { get; private set; }

    /// <summary>No more than the peak.</summary>
    public long Low { get; private set; }

    /// <summary>Takes in what the total could be at most at some moment.</summary>
    public void TakeHigh(long bytes) => High = Math.Max(High, bytes);

    /// <summary>Takes in what the total was at least at some moment.</summary>
    public void TakeLow(long bytes) => Low = Math.Max(Low, bytes);

    /// <summary>Fills the histories in up to a pass.</summary>
    public static void Advance(List<StreamSums> streams, long pass)
    {
        foreach (var stream in streams)
        {
            stream.Advance(pass);
        }
    }

    /// <summary>No less than the streams had together at any moment from the heads of the pass before to those of this
    /// one; the histories reach up to it.</summary>
    public static long HighOf(List<StreamSums> streams, long pass)
    {
        long high = 0;
        foreach (var stream in streams)
        {
            high += Math.Max(stream.UpperMost(pass - 1), stream.UpperMost(pass));
        }

        return high;
    }

    /// <summary>What the streams had together at some moment of a pass. The histories reach beyond it, and no death
    /// that was read waits for its turn.</summary>
    public static LowBound LowOf(List<StreamSums> streams, long settled)
    {
        long floor = 0;
        long rise = 0;
        foreach (var stream in streams)
        {
            var least = Math.Min(
                stream.LowerLeast(settled), Math.Min(stream.LowerLeast(settled - 1), stream.LowerLeast(settled + 1)));
            floor += least;
            rise = Math.Max(rise, stream.LowerMost(settled) - least);
        }

        return new LowBound(floor, rise);
    }
}
