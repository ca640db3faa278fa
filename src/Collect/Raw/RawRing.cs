using NativeHeap.Wire;

namespace NativeHeap.Collect.Raw;

/// <summary>One ring of a raw file, filled again as its threads filled it: up to a moment at a time.</summary>
internal sealed unsafe class RawRing
{
    private const ulong Unreadable = 7; // no position is odd: who reads the ring sees that it is broken

    private readonly RingRecord* _ring;
    private readonly byte* _data;
    private readonly ulong _capacity;
    private readonly byte[] _rest; // what was in it at the end
    private readonly ulong _restPosition;
    private readonly Queue<RawChunk> _chunks = new();
    private ulong _head; // shown
    private ulong _loaded; // copied
    private bool _isRestDone;
    private bool _isBroken;

    /// <summary>Takes what is in a ring out of it.</summary>
    /// <param name="ring">A ring whose place in the region was checked.</param>
    /// <param name="start">Of the region.</param>
    public RawRing(RingRecord* ring, byte* start)
    {
        _ring = ring;
        _capacity = ring->Capacity;
        _data = start + ring->DataOffset;
        var bytes = ring->Head - ring->Tail;
        _isBroken = bytes > _capacity || ring->Head % 8 != 0 || ring->Tail % 8 != 0;
        _restPosition = ring->Tail;
        _rest = new byte[_isBroken ? 0 : bytes];
        for (ulong i = 0; i < (ulong)_rest.Length; i++)
        {
            _rest[i] = _data[(_restPosition + i) & (_capacity - 1)];
        }
        ring->Head = ring->Tail = 0;
    }

    /// <summary>Bytes of the ring.</summary>
    public ulong Capacity => _capacity;

    /// <summary>The next moment at which something happened; null: what comes next is not known yet, or nothing does.</summary>
    public ulong? NextNs { get; private set; }

    /// <summary>The last moment that was shown; 0: none.</summary>
    public ulong LastNs { get; private set; }

    /// <summary>Whether there is nothing more.</summary>
    public bool HasEnded => _head == _loaded && _chunks.Count == 0 && _isRestDone;

    /// <summary>Adds what was moved out of it while its program ran.</summary>
    public void Add(IEnumerable<RawChunk> chunks)
    {
        foreach (var chunk in chunks.OrderBy(chunk => chunk.Position))
        {
            _chunks.Enqueue(chunk);
        }
    }

    /// <summary>Shows more of it. Everything that was shown before has been read.</summary>
    /// <param name="file">Where chunks are.</param>
    /// <param name="memory">Where it is.</param>
    /// <param name="untilNs">CLOCK_MONOTONIC; what came later is left for another time.</param>
    /// <returns>Whether there may be more up to that moment.</returns>
    public bool Feed(RawFile file, RawMemory memory, ulong untilNs)
    {
        if (NextNs > untilNs || HasEnded)
        {
            return false;
        }
        NextNs = null;
        if (_head == _loaded && !Load(file))
        {
            return false;
        }
        while (_head < _loaded)
        {
            if (RecordAt(_head, out var word) is not (> 0 and var size))
            {
                _head = _loaded; // for the reader to see what is wrong with it
                break;
            }
            var kind = KindOf(word);
            var time = kind == EventKind.Time ? word & WireConstants.AddressMask
                : kind == EventKind.Thread ? TimeAfter(_head + size) : 0;
            if (time > untilNs)
            {
                NextNs = time;
                break;
            }
            if (kind == EventKind.Thread)
            {
                memory.ShowSlot(((ThreadEvent*)(_data + (_head & (_capacity - 1))))->Slot);
            }
            LastNs = Math.Max(LastNs, time);
            _head += size;
        }
        _ring->Head = _head;
        return NextNs is null && !HasEnded;
    }

    private static EventKind KindOf(ulong word) => (EventKind)(word >> (int)WireConstants.KindShift);

    // Its size; 0 when it cannot be one.
    private ulong RecordAt(ulong position, out ulong word)
    {
        var offset = position & (_capacity - 1);
        word = *(ulong*)(_data + offset);
        var size = RingReader.Size(word);
        return size > Math.Min(_loaded - position, _capacity - offset) ? 0 : size;
    }

    // The stretch of another thread begins with that thread's name, and tells its time only then: where that can be seen.
    private ulong TimeAfter(ulong position)
    {
        while (position < _loaded && RecordAt(position, out var word) is > 0 and var size)
        {
            if (KindOf(word) == EventKind.Time)
            {
                return word & WireConstants.AddressMask;
            }
            if (KindOf(word) is not (EventKind.ForkCut or EventKind.Pad))
            {
                break;
            }
            position += size;
        }
        return 0;
    }

    // A gap cannot be read over: nobody knows whose the rest is.
    private bool Load(RawFile file)
    {
        while (_chunks.TryDequeue(out var chunk))
        {
            if (chunk.Position > _loaded || chunk.Position + chunk.Bytes < chunk.Position)
            {
                return Break();
            }
            if (chunk.Position + chunk.Bytes > _loaded)
            {
                var skip = (uint)(_loaded - chunk.Position);
                var piece = new byte[chunk.Bytes - skip];
                file.ReadAt(chunk.Offset + skip, piece);
                return Put(piece);
            }
        }
        _isRestDone = true;
        var end = _restPosition + (ulong)_rest.Length;
        if (_isBroken || _restPosition > _loaded || end < _loaded)
        {
            return Break(); // also where nothing was left in it: what it has lost is missing at the end
        }
        return end > _loaded && Put(_rest.AsSpan((int)(_loaded - _restPosition)));
    }

    private bool Put(ReadOnlySpan<byte> piece)
    {
        var offset = _loaded & (_capacity - 1);
        var first = (int)Math.Min((ulong)piece.Length, _capacity - offset);
        piece[..first].CopyTo(new Span<byte>(_data + offset, first));
        piece[first..].CopyTo(new Span<byte>(_data, piece.Length - first));
        _loaded += (ulong)piece.Length;
        return true;
    }

    private bool Break()
    {
        _chunks.Clear();
        _isRestDone = true;
        _isBroken = false;
        _ring->Head = _head + Unreadable;
        return false;
    }
}
