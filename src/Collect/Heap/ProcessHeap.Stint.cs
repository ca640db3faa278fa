using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// A stint: what one thread does by one ring in one bucket of time. The sums that all its events would change alike (of the
/// process, the trace, the thread, the bucket, the ring) are kept here until it is settled; only what is live now, the
/// one thing that peaks need to know at every event, is counted from event to event.
/// </summary>
internal sealed partial class ProcessHeap
{
    private int _stream;
    private ushort _thread;
    private uint _timeMs;
    private uint _bucket;
    private uint _usualMarks;
    private bool _isRead; // the ring's sum has the births already: they were read before their turn came

    private long _start; // live bytes when it began
    private long _live; // and now
    private long _high; // the most after a birth
    private long _low; // the least
    private long _ceiling; // beyond it lies a new peak, of the process or of the trace
    private long _births;
    private long _birthBytes;
    private long _deaths;
    private long _temporary;

    private void Open(int stream, ushort thread, uint timeMs, bool isRead)
    {
        _stream = stream;
        _thread = thread;
        _timeMs = timeMs;
        _bucket = _buckets.Of(timeMs);
        _usualMarks = StackMarks.Usual(thread);
        _isRead = isRead;
        _start = _live = _low = Live.Bytes;
        _high = long.MinValue;
        _births = _birthBytes = _deaths = _temporary = 0;
        SetCeiling();
    }

    private void Settle()
    {
        if ((_births | _deaths) == 0)
        {
            return;
        }

        var blocks = _births - _deaths;
        var bytes = _live - _start;
        Allocations += _births;
        AllocatedBytes += _birthBytes;
        Frees += _deaths;
        FreedBytes += _birthBytes - bytes;
        TemporaryAllocations += _temporary;
        if (_births != 0)
        {
            ref var thread = ref Threads[_thread];
            thread.Allocations += _births;
            thread.AllocatedBytes += _birthBytes;
            thread.Dirty = true;
        }

        if (_isRead)
        {
            Streams[_stream].Add(bytes - _birthBytes, LastPass);
        }
        else
        {
            Streams[_stream].Move(bytes, Math.Max(_start, _high) - _start, _low - _start, LastPass);
        }

        SettleBucket(blocks, bytes);
        Live.Move(blocks, bytes);
        _trace.Move(blocks, bytes);
        _births = _birthBytes = _deaths = _temporary = 0;
        _start = _low = _live;
        _high = long.MinValue;
    }

    private void SettleBucket(long blocks, long bytes)
    {
        ref var point = ref Timeline.At(_bucket, _start);
        point.Allocations += _births;
        point.AllocatedBytes += _birthBytes;
        point.LiveBlocks += blocks;
        point.LiveBytes += bytes;
        point.PeakBytes = Math.Max(point.PeakBytes, _high);
        point.Dirty = true;
    }

    // A birth has been counted.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Rise()
    {
        if (_live > _high)
        {
            _high = _live;
            if (_live > _ceiling)
            {
                Peak();
            }
        }
    }

    private void Peak()
    {
        Live.Rise(_births - _deaths, _live - _start, _timeMs);
        _trace.Rise(_births - _deaths, _live - _start, _timeMs);
        SetCeiling();
    }

    private void SetCeiling() => _ceiling = Math.Min(Live.PeakBytes, _trace.PeakBytes - (_trace.Bytes - Live.Bytes));
}
