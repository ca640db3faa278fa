namespace NativeHeap.Analysis;

/// <summary>
/// Thins points that come by rising time: of each slice of time stay the one of most live bytes and the last, so that
/// neither a spike nor the state after it is lost.
/// </summary>
internal sealed class PointThinner
{
    private readonly List<TimelinePoint> _points = [];
    private readonly long _sliceNs;
    private long _slice = -1;
    private TimelinePoint _most;
    private TimelinePoint _last;

    /// <param name="endNs">The last time.</param>
    /// <param name="limit">About the most points to keep.</param>
    public PointThinner(long endNs, int limit)
    {
        _sliceNs = Math.Max(1, endNs / Math.Max(1, limit / 2));
    }

    public void Add(TimelinePoint point)
    {
        var slice = point.TimeNs / _sliceNs;
        if (slice != _slice)
        {
            Flush();
            _slice = slice;
            _most = point;
        }
        else if (point.LivePeakBytes > _most.LivePeakBytes)
        {
            // The resident set is looked at more rarely: the most of the slice goes with the most live bytes.
            _most = point with { RssBytes = Max(_most.RssBytes, point.RssBytes) };
        }
        else
        {
            _most = _most with { RssBytes = Max(_most.RssBytes, point.RssBytes) };
        }

        _last = point;
    }

    public List<TimelinePoint> Finish()
    {
        Flush();
        _slice = -1;
        return _points;
    }

    private static long? Max(long? a, long? b) => a is null || b > a ? b : a;

    private void Flush()
    {
        if (_slice < 0)
        {
            return;
        }

        _points.Add(_most);
        if (_last.TimeNs > _most.TimeNs)
        {
            _points.Add(_last);
        }
    }
}
