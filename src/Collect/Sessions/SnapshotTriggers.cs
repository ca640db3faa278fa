namespace NativeHeap.Collect.Sessions;

/// <summary>When snapshots are taken that nobody asks for. For one thread.</summary>
/// <param name="intervalNs">Nanoseconds between two; null: none by time.</param>
/// <param name="growthBytes">One each time so many bytes more are live than at the last; null: none by growth.</param>
internal sealed class SnapshotTriggers(long? intervalNs, long? growthBytes)
{
    private ulong _nextNs;
    private long _nextBytes = growthBytes ?? 0;

    /// <summary>Whether one is due.</summary>
    /// <param name="nowNs">CLOCK_MONOTONIC.</param>
    /// <param name="liveBytes">Live now.</param>
    /// <returns>'interval', 'growth', or null.</returns>
    public string? Due(ulong nowNs, long liveBytes)
    {
        if (_nextNs == 0)
        {
            _nextNs = nowNs + (ulong)(intervalNs ?? 0);
        }
        if (intervalNs is { } interval && nowNs >= _nextNs)
        {
            // Those that were missed are not made up for: they would all say the same.
            _nextNs += (((nowNs - _nextNs) / (ulong)interval) + 1) * (ulong)interval;
            _nextBytes = liveBytes + (growthBytes ?? 0);
            return "interval";
        }
        if (growthBytes is { } growth && liveBytes >= _nextBytes)
        {
            _nextBytes = liveBytes + growth;
            return "growth";
        }
        return null;
    }
}
