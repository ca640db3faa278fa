using NativeHeap.Model;

namespace NativeHeap.Collect.Heap;

/// <summary>One bucket of a process's timeline.</summary>
internal struct TimelinePoint
{
    public uint Bucket;
    public long LiveBlocks; // change within the bucket; the state at its end when handed out
    public long LiveBytes;
    public long PeakBytes;
    public long Allocations;
    public long AllocatedBytes;
    public long RssBytes; // -1: not looked at

    public bool Dirty;
}

/// <summary>
/// A process's live heap by bucket of time. Events of several rings come in turns, so a bucket stays open for a while
/// and points are made from the changes within buckets, not from the state when somebody looked. For one thread.
/// </summary>
internal sealed class Timeline : IDisposable
{
    private const uint OpenBuckets = 32;

    private readonly NativeList<TimelinePoint> _open = new(); // by bucket
    private TimelinePoint _before; // sums over all buckets before the open ones
    private uint _floor; // buckets below it are closed
    private int _last;

    /// <summary>The point of a bucket; an older one than are kept counts as the oldest kept.</summary>
    /// <param name="bucket">From 0.</param>
    /// <param name="liveBytes">Live at this moment, the least a new bucket's peak can be.</param>
    public ref TimelinePoint At(uint bucket, long liveBytes)
    {
        if (_last < _open.Count && _open[_last].Bucket == bucket)
        {
            return ref _open[_last];
        }

        return ref FindOrAdd(bucket, liveBytes);
    }

    /// <summary>Hands out every point that changed, then forgets those that are too old to change any more.</summary>
    public void Flush(List<TimelinePoint> to)
    {
        var sum = _before;
        var dirty = false;
        for (var i = 0; i < _open.Count; i++)
        {
            ref var point = ref _open[i];
            var start = sum.LiveBytes;
            Accumulate(ref sum, point);
            // A change in one bucket changes the state at the end of all later ones.
            dirty |= point.Dirty;
            point.Dirty = false;
            if (dirty)
            {
                var row = sum;
                row.Bucket = point.Bucket;
                row.RssBytes = point.RssBytes;
                row.PeakBytes = Math.Max(point.PeakBytes, Math.Max(start, sum.LiveBytes));
                to.Add(row);
            }
        }

        Forget();
    }

    /// <summary>The buckets' width has doubled.</summary>
    public void Halve()
    {
        var kept = 0;
        for (var i = 0; i < _open.Count; i++)
        {
            var point = _open[i];
            point.Bucket >>= 1;
            if (kept > 0 && _open[kept - 1].Bucket == point.Bucket)
            {
                ref var merged = ref _open[kept - 1];
                Accumulate(ref merged, point);
                merged.PeakBytes = Math.Max(merged.PeakBytes, point.PeakBytes);
                merged.RssBytes = point.RssBytes >= 0 ? point.RssBytes : merged.RssBytes;
                merged.Dirty = true;
            }
            else
            {
                _open[kept++] = point;
            }
        }

        _floor >>= 1;
        _open.Cut(kept);
        _last = Math.Max(0, kept - 1);
    }

    public void Dispose() => _open.Dispose();

    private static void Accumulate(ref TimelinePoint sum, in TimelinePoint point)
    {
        sum.LiveBlocks += point.LiveBlocks;
        sum.LiveBytes += point.LiveBytes;
        sum.Allocations += point.Allocations;
        sum.AllocatedBytes += point.AllocatedBytes;
    }

    private ref TimelinePoint FindOrAdd(uint bucket, long liveBytes)
    {
        var i = _open.Count;
        while (i > 0 && _open[i - 1].Bucket > bucket)
        {
            i--;
        }

        if (i > 0 && (_open[i - 1].Bucket == bucket))
        {
            _last = i - 1;
        }
        else if (bucket < _floor)
        {
            _last = 0;
        }
        else
        {
            _open.Insert(i, new TimelinePoint { Bucket = bucket, PeakBytes = liveBytes, RssBytes = -1, Dirty = true });
            _last = i;
        }

        return ref _open[_last];
    }

    private void Forget()
    {
        var surplus = _open.Count - (int)OpenBuckets;
        if (surplus <= 0)
        {
            return;
        }

        for (var i = 0; i < surplus; i++)
        {
            Accumulate(ref _before, _open[i]);
        }

        _floor = _open[surplus - 1].Bucket + 1;
        _open.RemoveFirst(surplus);
        _last = _open.Count - 1;
    }
}
