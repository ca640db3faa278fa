using System.Runtime.CompilerServices;

namespace NativeHeap.Wire;

/// <summary>What ended the reading of a ring.</summary>
public enum RingFault
{
    /// <summary>Nothing did.</summary>
    None,

    /// <summary>The head went backwards by more than the ring is long, or is no multiple of 8.</summary>
    Head,

    /// <summary>The head is further ahead than the ring is long.</summary>
    Overrun,

    /// <summary>A record of a kind that is not known.</summary>
    Kind,

    /// <summary>A record that reaches past the head or past the ring's end.</summary>
    Length,
}

/// <summary>
/// The consumer's end of one ring. Any bytes may stand in it: a record is handed out only when it lies whole between
/// what was read and the head, anything else ends the ring for good (<see cref="Fault"/>). A ring that has ended is
/// still emptied, unread, so that its producer never waits for us. For one thread.
/// </summary>
public sealed unsafe class RingReader
{
    private readonly RingRecord* _ring;
    private readonly byte* _data;
    private readonly ulong _capacity;
    private ulong _position;
    private ulong _published;
    private ulong _limit;

    internal RingReader(RingRecord* ring, byte* data, ulong capacity)
    {
        _ring = ring;
        _data = data;
        _capacity = capacity;
        _position = _published = _limit = ring->Tail;
    }

    /// <summary>Why reading ended; <see cref="RingFault.None"/> while it goes on.</summary>
    public RingFault Fault { get; private set; }

    /// <summary>Bytes of the ring.</summary>
    public ulong Capacity => _capacity;

    /// <summary>Bytes read so far, since the ring was made.</summary>
    public ulong Position => _position;

    /// <summary>Bytes that <see cref="Read"/> will hand out before it stops.</summary>
    public ulong Available => _limit - _position;

    /// <summary>Thread that owns the ring in its pid namespace; 0: free to claim.</summary>
    public uint OwnerTid => Volatile.Read(ref _ring->OwnerTid);

    /// <summary>Slot of the owner's process; any number may stand here.</summary>
    public uint OwnerSlot => Volatile.Read(ref _ring->OwnerSlot);

    /// <summary>Whether the producer is far enough ahead by now that it might have to wait for us.</summary>
    public bool IsFilling => Fault == RingFault.None && (long)(Volatile.Read(ref _ring->Head) - _position) >= (long)(_capacity / 4);

    /// <summary>Looks how far the producer is. What is handed out next was written before this call.</summary>
    /// <returns>True when there is something to read.</returns>
    public bool Refresh()
    {
        var head = Volatile.Read(ref _ring->Head);
        if (Fault != RingFault.None)
        {
            _position = _limit = head;
            Publish();
            return false;
        }

        // A process that a signal handler forks in the very moment of publishing says once more what its parent said then, and the
        // parent may have gone on.
        if (head == _limit || (head < _limit && _limit - head <= _capacity && head % 8 == 0))
        {
            return _position != _limit;
        }

        if (head < _limit || head % 8 != 0 || head - _position > _capacity)
        {
            End(head < _limit || head % 8 != 0 ? RingFault.Head : RingFault.Overrun);
            Publish();
            return false;
        }

        _limit = head;
        return true;
    }

    /// <summary>The next records up to the last <see cref="Refresh"/>. Padding is skipped.</summary>
    /// <param name="places">Filled from the first on. Records stay in place until <see cref="Publish"/>, but the target may
    /// change their bytes: read each field once. As many bytes as its kind has lie within the ring.</param>
    /// <param name="most">Places that there are.</param>
    /// <returns>How many were filled; 0: there is nothing more.</returns>
    public int Read(RingPlace* places, int most)
    {
        var (data, capacity, limit) = ((nint)_data, _capacity, _limit); // once: what is written below could be any of them
        var position = _position;
        var count = 0;
        while (position != limit && count < most)
        {
            var offset = position & (capacity - 1);
            var record = (byte*)data + offset;
            var word = *(ulong*)record;
            var size = Size(word);
            if (size == 0 || size > Math.Min(limit - position, capacity - offset))
            {
                End(size == 0 ? RingFault.Kind : RingFault.Length);
                return count;
            }

            position += size;
            places[count] = new RingPlace(record, word);
            count += word >> (int)WireConstants.KindShift == (ulong)EventKind.Pad ? 0 : 1;
        }

        _position = position;
        return count;
    }

    /// <summary>Gives the room of what was read back to the producer, and wakes it when it waits.</summary>
    public void Publish()
    {
        if (_position == _published)
        {
            return;
        }

        _published = _position;
        Volatile.Write(ref _ring->Tail, _position);
        // The producer stores `waiting` and then looks at the tail; we store the tail and then look at `waiting`.
        // Without a full barrier on both sides each could miss the other.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _ring->Waiting) != 0)
        {
            Volatile.Write(ref _ring->Waiting, 0);
            Interlocked.Increment(ref _ring->Drained);
            Futex.WakeAll(&_ring->Drained);
        }
    }

    /// <summary>Frees the ring of a thread that is gone, once everything it wrote has been read.</summary>
    /// <returns>False when it is owned by somebody else by now, or is just being claimed.</returns>
    public bool Reclaim(uint ownerTid, uint ownerSlot)
    {
        // The slot first, as a thread that gives its ring back does: the next owner's id must not be seen beside it.
        if (ownerSlot == WireConstants.NoSlot
            || Interlocked.CompareExchange(ref _ring->OwnerSlot, WireConstants.NoSlot, ownerSlot) != ownerSlot)
        {
            return false;
        }

        if (Interlocked.CompareExchange(ref _ring->OwnerTid, 0, ownerTid) == ownerTid)
        {
            return true;
        }

        // The thread had given it back before it went, and the same process claimed it anew.
        Interlocked.CompareExchange(ref _ring->OwnerSlot, ownerSlot, WireConstants.NoSlot);
        return false;
    }

    /// <summary>Bytes of a record.</summary>
    /// <param name="word">Its first word.</param>
    /// <returns>0: no such kind, or padding of an impossible length.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Size(ulong word)
    {
        // Nearly all are of the first two kinds.
        var kind = (EventKind)(word >> (int)WireConstants.KindShift);
        return kind switch
        {
            EventKind.Alloc => AllocEvent.StatedSize,
            EventKind.Release => ReleaseEvent.StatedSize,
            _ => SizeOfOther(kind, word),
        };
    }

    private static ulong SizeOfOther(EventKind kind, ulong word)
    {
        switch (kind)
        {
            case EventKind.Time:
                return TimeEvent.StatedSize;
            case EventKind.Thread:
                return ThreadEvent.StatedSize;
            case EventKind.Resize:
                return ResizeEvent.StatedSize;
            case EventKind.ForkCut:
                return ForkCutEvent.StatedSize;
            case EventKind.Ignore:
                return IgnoreEvent.StatedSize;
            case EventKind.Suppressions:
                return SuppressionsEvent.StatedSize;
            case EventKind.Map:
                return MapEvent.StatedSize;
            case EventKind.Unmap:
                return UnmapEvent.StatedSize;
            case EventKind.Remap:
                return RemapEvent.StatedSize;
            case EventKind.Sample:
                return SampleEvent.StatedSize;
            case EventKind.SampleRelease:
                return SampleReleaseEvent.StatedSize;
            case EventKind.Pad:
                var bytes = word & WireConstants.AddressMask;
                return bytes % 8 == 0 ? bytes : 0;
            default:
                return 0;
        }
    }

    private void End(RingFault fault)
    {
        Fault = fault;
        _position = _limit = Volatile.Read(ref _ring->Head); // given back with the next Publish
    }
}

/// <summary>Where a record lies in a ring.</summary>
/// <param name="record">Its first byte.</param>
/// <param name="word">Its first word, as it was when it was checked.</param>
public readonly unsafe struct RingPlace(byte* record, ulong word)
{
    /// <summary>Its first byte.</summary>
    public byte* Record => record;

    /// <summary>Its first word.</summary>
    public ulong Word => word;
}
