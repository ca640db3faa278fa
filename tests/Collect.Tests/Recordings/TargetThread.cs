using System.Runtime.CompilerServices;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>
/// One thread of a <see cref="Target"/> and its ring. Events take their numbers when they are made; they are in the
/// ring when <see cref="Publish"/> has put them there, which may be later, as when a thread is held up between the two.
/// </summary>
internal sealed unsafe class TargetThread
{
    private readonly Target _target;
    private readonly int _ring;
    private readonly Queue<byte[]> _made = new();
    private ulong _head;
    private ulong _clockNs;

    public TargetThread(Target target, int ring, int slot, uint tid)
    {
        _target = target;
        _ring = ring;
        Slot = slot;
        Tid = tid;
        _head = target.View.RingAt(ring)->Head;
        Make(new ThreadEvent { Head = Head(EventKind.Thread, 0), Slot = (uint)slot, Tid = tid });
    }

    public int Slot { get; }

    public uint Tid { get; }

    public int Ring => _ring;

    /// <summary>Publish at once.</summary>
    public bool Immediate { get; set; } = true;

    public void Alloc(ulong address, ulong size, uint node)
    {
        Time();
        Make(new AllocEvent
        {
            Head = Head(EventKind.Alloc, address),
            Size = size,
            Node = node,
            Order = _target.TakeNumber(Slot, address),
        });
    }

    /// <summary>An allocation that is recorded as a sample.</summary>
    public void Sample(ulong address, ulong size, uint node, ulong mean)
    {
        Time();
        Make(new SampleEvent
        {
            Head = Head(EventKind.Sample, address),
            Size = size,
            Node = node,
            Order = _target.TakeNumber(Slot, address),
            Mean = mean,
        });
    }

    /// <summary>The free of one.</summary>
    public void FreeSample(ulong address, ulong size, ulong mean, uint flags = WireConstants.SampleAmong)
    {
        Time();
        Make(new SampleReleaseEvent
        {
            Head = Head(EventKind.SampleRelease, address),
            Size = size,
            Order = _target.TakeNumber(Slot, address),
            Flags = flags,
            Mean = mean,
        });
    }

    /// <summary>A free.</summary>
    /// <param name="address">Of the block.</param>
    /// <param name="amongSamples">Whether births are sampled at this time.</param>
    public void Free(ulong address, bool amongSamples = false)
    {
        Time();
        Make(new ReleaseEvent
        {
            Head = Head(EventKind.Release, address),
            Order = _target.TakeNumber(Slot, address),
            AmongSamples = amongSamples ? 1u : 0,
        });
    }

    /// <summary>A realloc that succeeds.</summary>
    public void Move(ulong old, ulong address, ulong size, uint node)
    {
        Time();
        var oldOrder = _target.TakeNumber(Slot, old);
        Make(new ResizeEvent
        {
            Head = Head(EventKind.Resize, address),
            Size = size,
            OldAddress = old,
            Node = node,
            Order = _target.TakeNumber(Slot, address),
            OldOrder = oldOrder,
            Result = (uint)ResizeResult.Moved,
        });
    }

    /// <summary>A realloc that fails, or one to nothing that frees.</summary>
    public void Resize(ulong old, ResizeResult result)
    {
        Time();
        Make(new ResizeEvent
        {
            Head = Head(EventKind.Resize, 0),
            OldAddress = old,
            OldOrder = _target.TakeNumber(Slot, old),
            Result = (uint)result,
        });
    }

    /// <summary>Puts made events into the ring.</summary>
    public void Publish(int count = int.MaxValue)
    {
        for (; count > 0 && _made.TryDequeue(out var bytes); count--)
        {
            Append(bytes);
        }
    }

    /// <summary>Puts the next made event into the ring and says what it was.</summary>
    public EventKind? PublishOne()
    {
        if (!_made.TryDequeue(out var bytes))
        {
            return null;
        }

        Append(bytes);
        return (EventKind)bytes[7];
    }

    /// <summary>Any bytes into the ring.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var ring = _target.View.RingAt(_ring);
        var data = (byte*)_target.View.Header + ring->DataOffset;
        var room = ring->Capacity - (_head & (ring->Capacity - 1));
        if (room < (ulong)bytes.Length)
        {
            Wait(room);
            *(ulong*)(data + (_head & (ring->Capacity - 1))) = Head(EventKind.Pad, room);
            _head += room;
            Volatile.Write(ref ring->Head, _head);
        }

        Wait((ulong)bytes.Length);
        bytes.CopyTo(new Span<byte>(data + (_head & (ring->Capacity - 1)), bytes.Length));
        _head += (ulong)bytes.Length;
        Volatile.Write(ref ring->Head, _head);
    }

    /// <summary>Ends the thread in order: its ring is free again.</summary>
    public void Exit()
    {
        Publish();
        _target.View.RingAt(_ring)->OwnerSlot = WireConstants.NoSlot;
        _target.View.RingAt(_ring)->OwnerTid = 0;
    }

    private static ulong Head(EventKind kind, ulong payload) => ((ulong)kind << (int)WireConstants.KindShift) | payload;

    private void Wait(ulong bytes)
    {
        var ring = _target.View.RingAt(_ring);
        if (_head + bytes - ring->Tail > ring->Capacity)
        {
            _target.Drain();
            Assert.True(_head + bytes - ring->Tail <= ring->Capacity, "the drain made no room");
        }
    }

    private void Time()
    {
        if (_clockNs != _target.ClockNs)
        {
            _clockNs = _target.ClockNs;
            Make(new TimeEvent { Head = Head(EventKind.Time, _clockNs) });
        }
    }

    private void Make<T>(T record)
        where T : unmanaged
    {
        _made.Enqueue(new Span<byte>(&record, Unsafe.SizeOf<T>()).ToArray());
        if (Immediate)
        {
            Publish();
        }
    }
}
