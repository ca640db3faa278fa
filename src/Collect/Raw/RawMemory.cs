using System.Runtime.InteropServices;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Raw;

/// <summary>A copy of a raw file's region. The recording disposes it, or whoever did not get so far.</summary>
internal sealed unsafe class RawMemory : IRegionMemory
{
    private readonly ulong _bytes;
    private byte* _start;
    private readonly Queue<int> _hidden = new();
    private readonly List<(int Slot, uint Reason)> _reasons = [];
    private RegionView? _view;
    private bool _hasEnded;

    /// <summary>Memory for a region.</summary>
    public RawMemory(ulong bytes)
    {
        _bytes = bytes;
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 4096);
    }

    /// <summary>Its first byte.</summary>
    public byte* Start => _start;

    /// <inheritdoc/>
    public RegionView View => _view!;

    /// <inheritdoc/>
    public bool IsMappedByOthers() => !_hasEnded;

    /// <inheritdoc/>
    public MappedCopyWindow? OpenCopyWindow(TimeSpan patience) => null; // there is no process

    /// <summary>Shows the processes that have come up to a moment.</summary>
    /// <param name="untilNs">CLOCK_MONOTONIC.</param>
    public void ShowSlots(ulong untilNs)
    {
        while (_hidden.TryPeek(out var slot) && View.SlotAt(slot)->StartNs <= untilNs)
        {
            View.SlotAt(_hidden.Dequeue())->State = (uint)SlotState.Live;
        }
    }

    /// <summary>Shows a process that writes.</summary>
    /// <param name="slot">Any number.</param>
    public void ShowSlot(uint slot)
    {
        while (_hidden.TryPeek(out var first) && (uint)first <= slot && slot < (uint)View.Shape.SlotCount)
        {
            View.SlotAt(_hidden.Dequeue())->State = (uint)SlotState.Live;
        }
    }

    /// <summary>Nothing more comes; shows why processes ceased to record. Not to be used afterwards but by the recording.</summary>
    public void ShowEnd()
    {
        ShowSlots(ulong.MaxValue);
        foreach (var (slot, reason) in _reasons)
        {
            View.SlotAt(slot)->OffReason = reason;
        }
        _hasEnded = true;
    }

    /// <summary>Makes rings and slots what they were before anything happened.</summary>
    /// <returns>What was in them.</returns>
    /// <exception cref="RegionFormatException">It is no region.</exception>
    public RawRing[] Rewind()
    {
        var before = new RegionView(_start, _bytes); // checks every ring's place
        var rings = Enumerable.Range(0, before.Shape.RingCount).Select(index => new RawRing(before.RingAt(index), _start)).ToArray();
        _view = new RegionView(_start, _bytes);
        for (var i = 0; i < _view.Shape.SlotCount; i++)
        {
            var slot = _view.SlotAt(i);
            if (slot->State != (uint)SlotState.Live)
            {
                break; // taken one after the other, and never given back
            }
            _reasons.Add((i, slot->OffReason));
            slot->OffReason = 0;
            if (i > 0)
            {
                slot->State = (uint)SlotState.Free;
                _hidden.Enqueue(i);
            }
        }
        return rings;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
    }
}
