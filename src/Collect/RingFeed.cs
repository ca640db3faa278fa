using NativeHeap.Collect.Heap;
using NativeHeap.Collect.Mappings;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>
/// Turns the records of one ring into operations on heaps. Whose they are and when they were are properties of the
/// stream, said by its own records, so a ring may pass from one thread to the next unread. For one thread.
/// </summary>
internal sealed unsafe class RingFeed
{
    private const int BatchRecords = 32; // far enough ahead for a place to come from memory before it is needed

    // What differs in the first words of a block's birth and of its death.
    private const ulong BirthThenDeath = (ulong)(EventKind.Alloc ^ EventKind.Release) << (int)WireConstants.KindShift;

    private readonly TrackedRegion _region;
    private readonly RecordingShared _shared;
    private readonly IDrainHost _host;
    private readonly int _index;
    private TrackedProcess? _process;
    private bool _isFaultNoted;
    private ushort _thread;
    private uint _timeMs;
    private int _stream;

    public RingFeed(TrackedRegion region, int index, RecordingShared shared, IDrainHost host)
    {
        _region = region;
        _index = index;
        _shared = shared;
        _host = host;
        Reader = region.View.Ring(index);
    }

    public RingReader Reader { get; }

    /// <summary>Records that belonged to no process.</summary>
    public long Strays { get; private set; }

    /// <summary>Reads on.</summary>
    /// <param name="bytes">So many at least, if there were as many at the last refresh; some records more are read then.</param>
    public void Drain(ulong bytes)
    {
        Begin();
        var batch = stackalloc RingPlace[BatchRecords];
        var end = Reader.Position + bytes;
        var publishAt = Reader.Position + (Reader.Capacity / 4);
        while (Reader.Position < end && Look(batch) is var count and > 0)
        {
            Take(batch, count);
            if (Reader.Position >= publishAt)
            {
                Reader.Publish();
                publishAt = Reader.Position + (Reader.Capacity / 4);
            }
        }

        _process?.Heap.End();
        Reader.Publish();
        NoteFault();
    }

    /// <summary>Notes, once, that the ring cannot be read any more, if it is so.</summary>
    public void NoteFault()
    {
        if (Reader.Fault == RingFault.None || _isFaultNoted)
        {
            return;
        }

        _isFaultNoted = true;
        if (_process is null)
        {
            Strays++;
            return;
        }

        _process.Faults++;
        _process.AddNote("an unreadable record ended the reading of a ring");
        _process = null;
    }

    /// <summary>The process has ended.</summary>
    public void Forget(TrackedProcess process)
    {
        if (_process == process)
        {
            _process = null;
        }
    }

    private void Begin()
    {
        if (_process is not null)
        {
            _host.Activate(_process);
            _process.Heap.Begin(_stream, _thread, _timeMs);
        }
    }

    // Finds the next records and starts to load the places of their addresses in the live table.
    private int Look(RingPlace* batch)
    {
        var count = Reader.Read(batch, BatchRecords);
        _process?.Heap.Prefetch(batch, count);
        return count;
    }

    private void Take(RingPlace* batch, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var word = batch[i].Word;
            var kind = (EventKind)(word >> (int)WireConstants.KindShift);
            var address = word & WireConstants.AddressMask;
            if (_process is null || address == 0 || kind is not (EventKind.Alloc or EventKind.Release))
            {
                TakeOther(batch[i].Record, kind, address);
            }
            else if (kind == EventKind.Release)
            {
                TakeRelease((ReleaseEvent*)batch[i].Record, address);
            }
            else if (i + 1 < count && (word ^ batch[i + 1].Word) == BirthThenDeath
                && TakeTemporary((AllocEvent*)batch[i].Record, (ReleaseEvent*)batch[i + 1].Record, address))
            {
                i++;
            }
            else
            {
                var birth = (AllocEvent*)batch[i].Record;
                _process.Heap.Birth(address, birth->Size, birth->Node, birth->Order);
            }
        }
    }

    // An allocation and its free, one directly after the other.
    private bool TakeTemporary(AllocEvent* birth, ReleaseEvent* death, ulong address) => death->AmongSamples == 0
        && _process!.Heap.TryTemporary(address, birth->Size, birth->Node, birth->Order, death->Order);

    private void TakeRelease(ReleaseEvent* record, ulong address)
    {
        var heap = _process!.Heap;
        var order = record->Order;
        if (record->AmongSamples == 0)
        {
            heap.Death(address, order);
        }
        else
        {
            heap.DeathAmongSamples(address, order);
        }
    }

    private void TakeOther(byte* record, EventKind kind, ulong address)
    {
        switch (kind)
        {
            case EventKind.Alloc:
            case EventKind.Release:
                Strays++;
                break;
            case EventKind.Resize:
                TakeResize((ResizeEvent*)record, address);
                break;
            case EventKind.Time:
                TakeTime(address);
                break;
            case EventKind.Thread:
                TakeThread((ThreadEvent*)record);
                break;
            case EventKind.Ignore:
                TakeIgnored((IgnoreEvent*)record, address);
                break;
            case EventKind.Suppressions:
                TakeSuppressions((SuppressionsEvent*)record, address);
                break;
            case EventKind.Map:
                TakeMap((MapEvent*)record, address);
                break;
            case EventKind.Unmap:
                TakeUnmap((UnmapEvent*)record, address);
                break;
            case EventKind.Remap:
                TakeRemap((RemapEvent*)record, address);
                break;
            case EventKind.Sample:
                TakeSample((SampleEvent*)record, address);
                break;
            case EventKind.SampleRelease:
                TakeSampleRelease((SampleReleaseEvent*)record, address);
                break;
            case EventKind.ForkCut:
                break; // totals need none; a leak check of a forked child will
        }
    }

    private void TakeSample(SampleEvent* record, ulong address)
    {
        var rate = _process?.Heap.Rates.NumberOf(record->Mean) ?? -1;
        if (_process is null || address == 0 || rate < 0)
        {
            Strays++;
            return;
        }

        _process.Heap.SampledBirth(address, record->Size, record->Node, record->Order, (byte)rate);
    }

    private void TakeSampleRelease(SampleReleaseEvent* record, ulong address)
    {
        var rate = _process?.Heap.Rates.NumberOf(record->Mean) ?? -1;
        if (_process is null || address == 0 || rate < 0)
        {
            Strays++;
            return;
        }

        // The shim knows of allocations that passed, the heap of those that were recorded.
        var flags = record->Flags;
        _process.Heap.SampledDeath(
            address, record->Order, record->Size, (byte)rate, amongSamples: (flags & WireConstants.SampleAmong) != 0,
            temporary: (flags & WireConstants.SampleTemporary) != 0);
    }

    private void TakeResize(ResizeEvent* record, ulong address)
    {
        var result = (ResizeResult)record->Result;
        var old = record->OldAddress & WireConstants.AddressMask;
        var size = record->Size;
        var node = record->Node;
        var order = record->Order;
        var oldOrder = record->OldOrder;
        if (_process is null || old == 0 || (address == 0 && result == ResizeResult.Moved))
        {
            Strays++;
            return;
        }

        var heap = _process.Heap;
        if (result == ResizeResult.Failed)
        {
            heap.Nothing(old, oldOrder);
            return;
        }

        heap.Death(old, oldOrder);
        if (result == ResizeResult.Moved)
        {
            heap.Birth(address, size, node, order);
        }
    }

    private void TakeIgnored(IgnoreEvent* record, ulong address)
    {
        if (_process is null || address == 0)
        {
            Strays++;
            return;
        }

        _process.Heap.Ignore(address, record->Order);
    }

    private void TakeSuppressions(SuppressionsEvent* record, ulong bytes)
    {
        ReadOnlySpan<byte> text = record->Text;
        if (_process is null || bytes > (ulong)text.Length)
        {
            Strays++;
            return;
        }

        _process.Suppressions.Add(text[..(int)bytes]);
    }

    private void TakeMap(MapEvent* record, ulong address)
    {
        if (_process is null)
        {
            Strays++;
            return;
        }

        _process.Mapped.Submit(
            record->Order, new MappingOperation(MappingKind.Map, address, record->Size, record->Node, _timeMs));
    }

    private void TakeUnmap(UnmapEvent* record, ulong address)
    {
        if (_process is null)
        {
            Strays++;
            return;
        }

        var kind = record->Done != 0 ? MappingKind.Unmap : MappingKind.Nothing;
        _process.Mapped.Submit(record->Order, new MappingOperation(kind, address, record->Size));
    }

    private void TakeRemap(RemapEvent* record, ulong address)
    {
        if (_process is null)
        {
            Strays++;
            return;
        }

        var mapped = _process.Mapped;
        var result = (RemapResult)record->Result;
        if (result == RemapResult.Failed)
        {
            mapped.Submit(record->OldOrder, new MappingOperation(MappingKind.Nothing));
            return;
        }

        // A second mapping of shared memory is asked for by an old size of 0.
        var moved = new MovedRange();
        var kind = result == RemapResult.Moved ? MappingKind.Unmap : MappingKind.Keep;
        var old = record->OldAddress & WireConstants.AddressMask;
        var (order, size, node) = (record->Order, record->Size, record->Node);
        mapped.Submit(
            record->OldOrder, new MappingOperation(kind, old, Math.Max(1, record->OldSize)) { Moved = moved });
        mapped.Submit(order, new MappingOperation(MappingKind.Map, address, size, node, _timeMs) { Moved = moved });
    }

    private void TakeTime(ulong clockNs)
    {
        var milliseconds = (uint)Math.Min((ulong)_shared.EventNs(clockNs) / 1_000_000, uint.MaxValue);
        _timeMs = Math.Max(_timeMs, milliseconds);
        if (_shared.Buckets.Of(_timeMs) >= BucketClock.MostBuckets)
        {
            _process?.Heap.End();
            _host.WidenBuckets(_timeMs);
            Begin();
        }

        _process?.Heap.SetTime(_timeMs);
    }

    private void TakeThread(ThreadEvent* record)
    {
        var slot = record->Slot;
        var tid = record->Tid;
        _process?.Heap.End();
        _process = _region.ProcessAt(slot);
        if (_process is null || _process.HasEnded)
        {
            _process = null;
            Strays++;
            return;
        }

        _thread = (ushort)_process.Heap.Threads.IndexOf(tid, _timeMs);
        _stream = _process.StreamOf(_index, _shared.Pass);
        Begin();
    }
}
