namespace NativeHeap.Collect.Sessions;

/// <summary>When snapshots are taken because of the time, or of what is live. For one thread.</summary>
internal sealed class SnapshotTriggers(SnapshotOptions options)
{
    private const long LowestPeak = 1 << 20; // what is below it is no peak that anybody looks for

    private readonly long _growth = options.GrowthBytes ?? 0;
    private ulong _nextNs;
    private long _nextBytes = options.GrowthBytes ?? 0;
    private long _highest = LowestPeak; // live at a snapshot

    /// <summary>Whether one is due.</summary>
    /// <param name="nowNs">CLOCK_MONOTONIC.</param>
    /// <param name="liveBytes">Live now.</param>
    /// <returns>'interval', 'growth', 'peak', or null.</returns>
    public string? Due(ulong nowNs, long liveBytes)
    {
        if (_nextNs == 0)
        {
            _nextNs = nowNs + (ulong)(options.IntervalNs ?? 0);
        }
        if (options.IntervalNs is { } interval && nowNs >= _nextNs)
        {
            // Those that were missed are not made up for: they would all say the same.
            _nextNs += (((nowNs - _nextNs) / (ulong)interval) + 1) * (ulong)interval;
            return "interval";
        }
        if (options.GrowthBytes is not null && liveBytes >= _nextBytes)
        {
            return "growth";
        }
        return options.PeakPercent is { } percent && liveBytes >= _highest * (1 + (percent / 100.0)) ? "peak" : null;
    }

    /// <summary>One was taken, for whatever reason, or will be in a moment.</summary>
    /// <param name="liveBytes">Live then.</param>
    public void Taken(long liveBytes)
    {
        _nextBytes = liveBytes + _growth;
        _highest = Math.Max(_highest, liveBytes);
    }
}
