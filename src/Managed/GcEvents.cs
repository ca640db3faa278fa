using System.Collections.Concurrent;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers.Clr;
using NativeHeap.Model;

namespace NativeHeap.Managed;

/// <summary>What a runtime's garbage collector told, to be fetched: pauses, and how large the heap was after each collection.
/// Filled on the thread that processes a stream, fetched on any other.</summary>
public sealed class GcEvents
{
    private const int MostKept = 1 << 20; // that nobody has fetched

    private readonly ConcurrentQueue<GcPause> _pauses = new();
    private readonly ConcurrentQueue<(ulong TimeNs, long Bytes)> _sizes = new();
    private ulong _stoppedNs;
    private int _generation = -1;

    /// <summary>Fetches the next pause; its time is CLOCK_MONOTONIC.</summary>
    public bool TryTakePause(out GcPause pause) => _pauses.TryDequeue(out pause);

    /// <summary>Fetches the next size: bytes of objects, and when on CLOCK_MONOTONIC.</summary>
    public bool TryTakeSize(out (ulong TimeNs, long Bytes) size) => _sizes.TryDequeue(out size);

    internal void Subscribe(TraceEventDispatcher source)
    {
        var clr = source.Clr;
        clr.GCSuspendEEStart += data =>
            _stoppedNs = data.Reason is GCSuspendEEReason.SuspendForGC or GCSuspendEEReason.SuspendForGCPrep ? TimeOf(data) : 0;
        clr.GCStart += data => _generation = data.Depth is >= 0 and <= 3 ? data.Depth : -1;
        clr.GCHeapStats += data =>
        {
            if (_sizes.Count < MostKept && data.TotalHeapSize >= 0)
            {
                _sizes.Enqueue((TimeOf(data), data.TotalHeapSize));
            }
        };
        clr.GCRestartEEStop += data =>
        {
            var now = TimeOf(data);
            if (_stoppedNs != 0 && now >= _stoppedNs && _pauses.Count < MostKept)
            {
                _pauses.Enqueue(new GcPause((long)_stoppedNs, (long)(now - _stoppedNs), _generation));
            }

            _stoppedNs = 0;
        };
    }

    // The runtime's own clock: CLOCK_MONOTONIC.
#pragma warning disable CS0618 // "discouraged"
    private static ulong TimeOf(TraceEvent data) => (ulong)Math.Max(0, data.TimeStampQPC);
#pragma warning restore CS0618
}
