using System.Runtime.CompilerServices;
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

    /// <summary>Reads everything up to the last refresh.</summary>
    public void Drain()
    {
        if (_process is not null)
        {
            _host.Activate(_process);
        }

        var batch = stackalloc RecordPlace[BatchRecords];
        var publishAt = Reader.Position + (Reader.Capacity / 4);
        while (Look(batch) is var count and > 0)
        {
            for (var i = 0; i < count; i++)
            {
                if (i + 1 < count && TakeTemporary(batch + i))
                {
                    i++;
                    continue;
                }

                Take(batch[i].Record, batch[i].Word);
            }

            if (Reader.Position >= publishAt)
            {
                Reader.Publish();
                publishAt = Reader.Position + (Reader.Capacity / 4);
            }
        }

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

    // Finds the next records and starts to load the places of their addresses in the live table.
    private int Look(RecordPlace* batch)
    {
        var blocks = _process?.Heap.Blocks;
        var count = 0;
        while (count < BatchRecords && Reader.TryNext(out batch[count].Record, out batch[count].Word))
        {
            blocks?.Prefetch(batch[count].Word & WireConstants.AddressMask);
            count++;
        }

        return count;
    }

    // An allocation and its free, one directly after the other.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TakeTemporary(RecordPlace* pair)
    {
        if ((pair[0].Word ^ pair[1].Word) != BirthThenDeath || _process is null)
        {
            return false;
        }

        var birth = (AllocEvent*)pair[0].Record;
        var death = (ReleaseEvent*)pair[1].Record;
        if (death->AmongSamples != 0)
        {
            return false;
        }

        var bytes = Math.Min(birth->Size, LiveBlock.MaxBytes);
        return _process.Heap.TryTemporary(
            pair[0].Word & WireConstants.AddressMask, birth->Order, death->Order, bytes, birth->Node, _thread, _stream, _timeMs);
    }

    private void Take(byte* record, ulong word)
    {
        switch ((EventKind)(word >> (int)WireConstants.KindShift))
        {
            case EventKind.Alloc:
                TakeAlloc((AllocEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Release:
                TakeRelease((ReleaseEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Resize:
                TakeResize((ResizeEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Time:
                TakeTime(word & WireConstants.AddressMask);
                break;
            case EventKind.Thread:
                TakeThread((ThreadEvent*)record);
                break;
            case EventKind.Ignore:
                TakeIgnored((IgnoreEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Suppressions:
                TakeSuppressions((SuppressionsEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Map:
                TakeMap((MapEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Unmap:
                TakeUnmap((UnmapEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Remap:
                TakeRemap((RemapEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.Sample:
                TakeSample((SampleEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.SampleRelease:
                TakeSampleRelease((SampleReleaseEvent*)record, word & WireConstants.AddressMask);
                break;
            case EventKind.ForkCut:
                break; // totals need none; a leak check of a forked child will
        }
    }

    private void TakeAlloc(AllocEvent* record, ulong address)
    {
        if (_process is null || address == 0)
        {
            Strays++;
            return;
        }

        Birth(_process.Heap, address, record->Size, record->Node, record->Order);
    }

    private void TakeRelease(ReleaseEvent* record, ulong address)
    {
        if (_process is null || address == 0)
        {
            Strays++;
            return;
        }

        var order = record->Order;
        if (record->AmongSamples == 0)
        {
            Death(_process.Heap, address, order);
            return;
        }

        // The thread may have let allocations pass since: whether the block was temporary is not known.
        var operation = Operation(OperationKind.Death, address, order);
        operation.AmongSamples = true;
        _process.Heap.Submit(operation);
    }

    private void TakeSample(SampleEvent* record, ulong address)
    {
        var rate = _process?.Heap.Rates.NumberOf(record->Mean) ?? -1;
        if (_process is null || address == 0 || rate < 0)
        {
            Strays++;
            return;
        }

        var heap = _process.Heap;
        var operation = Operation(OperationKind.Birth, address, record->Order);
        operation.Bytes = Math.Min(record->Size, LiveBlock.MaxBytes);
        operation.Node = record->Node;
        operation.Rate = (byte)rate;
        heap.Threads[_thread].LastBirth = address;
        heap.Streams[_stream].Add(heap.BytesOfSample(operation), _shared.Pass);
        heap.Submit(operation);
    }

    private void TakeSampleRelease(SampleReleaseEvent* record, ulong address)
    {
        var rate = _process?.Heap.Rates.NumberOf(record->Mean) ?? -1;
        if (_process is null || address == 0 || rate < 0)
        {
            Strays++;
            return;
        }

        var flags = record->Flags;
        ref var last = ref _process.Heap.Threads[_thread].LastBirth;
        var operation = Operation(OperationKind.Death, address, record->Order);
        operation.Bytes = Math.Min(record->Size, LiveBlock.MaxBytes);
        operation.Rate = (byte)rate;
        operation.AmongSamples = (flags & WireConstants.SampleAmong) != 0;
        // The shim knows of allocations that passed, we of those that were recorded.
        operation.Temporary = (flags & WireConstants.SampleTemporary) != 0 && last == address;
        last = last == address ? 0 : last;
        _process.Heap.Submit(operation);
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
            var nothing = Operation(OperationKind.Nothing, old, oldOrder);
            heap.Submit(nothing);
            return;
        }

        Death(heap, old, oldOrder);
        if (result == ResizeResult.Moved)
        {
            Birth(heap, address, size, node, order);
        }
    }

    private void TakeIgnored(IgnoreEvent* record, ulong address)
    {
        if (_process is null || address == 0)
        {
            Strays++;
            return;
        }

        _process.Heap.Submit(Operation(OperationKind.Ignored, address, record->Order));
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

    private void Birth(ProcessHeap heap, ulong address, ulong bytes, uint node, uint order)
    {
        bytes = Math.Min(bytes, LiveBlock.MaxBytes);
        heap.Threads[_thread].LastBirth = address;
        heap.Streams[_stream].Add((long)bytes, _shared.Pass);
        if (heap.TryBirth(address, order, bytes, node, _thread, _stream, _timeMs))
        {
            return;
        }

        var operation = Operation(OperationKind.Birth, address, order);
        operation.Bytes = bytes;
        operation.Node = node;
        heap.Submit(operation);
    }

    private void Death(ProcessHeap heap, ulong address, uint order)
    {
        ref var last = ref heap.Threads[_thread].LastBirth;
        var temporary = last == address;
        if (temporary)
        {
            last = 0;
        }

        if (!heap.TryDeath(address, order, temporary, _thread, _stream, _timeMs))
        {
            var operation = Operation(OperationKind.Death, address, order);
            operation.Temporary = temporary;
            heap.Submit(operation);
        }
    }

    private HeapOperation Operation(OperationKind kind, ulong address, uint order) => new()
    {
        Kind = kind,
        Address = address,
        Order = order,
        Pass = _shared.Pass,
        Thread = _thread,
        TimeMs = _timeMs,
        Stream = _stream,
    };

    private void TakeTime(ulong clockNs)
    {
        var milliseconds = (uint)Math.Min((ulong)_shared.EventNs(clockNs) / 1_000_000, uint.MaxValue);
        _timeMs = Math.Max(_timeMs, milliseconds);
        if (_shared.Buckets.Of(_timeMs) >= BucketClock.MostBuckets)
        {
            _host.WidenBuckets(_timeMs);
        }
    }

    private void TakeThread(ThreadEvent* record)
    {
        var slot = record->Slot;
        var tid = record->Tid;
        _process = _region.ProcessAt(slot);
        if (_process is null || _process.HasEnded)
        {
            _process = null;
            Strays++;
            return;
        }

        _host.Activate(_process);
        _thread = (ushort)_process.Heap.Threads.IndexOf(tid, _timeMs);
        _stream = _process.StreamOf(_index, _shared.Pass);
    }

    private struct RecordPlace
    {
        public byte* Record;
        public ulong Word;
    }
}
