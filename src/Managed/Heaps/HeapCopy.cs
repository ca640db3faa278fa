using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Diagnostics.Runtime;
using NativeHeap.Model;

namespace NativeHeap.Managed.Heaps;

/// <summary>
/// The objects' memory of a garbage-collected heap, copied in bulk. A <em>slot</em> is a word of it: its number stands
/// for an address in four bytes. Safe from several threads once it was taken.
/// </summary>
public sealed unsafe class HeapCopy : IDisposable
{
    /// <summary>No slot.</summary>
    public const uint NoSlot = uint.MaxValue;

    private const int WordBytes = 8;
    private const int LargestRead = 1 << 28;

    private readonly Segment[] _segments;
    private readonly ulong[] _starts;
    private byte* _memory;

    private HeapCopy(Segment[] segments, byte* memory, uint slots)
    {
        _segments = segments;
        _starts = [.. segments.Select(segment => segment.Start)];
        _memory = memory;
        SlotCount = slots;
    }

    /// <summary>Words in all.</summary>
    public uint SlotCount { get; }

    /// <summary>Bytes in all.</summary>
    public long ByteCount => (long)SlotCount * WordBytes;

    /// <summary>Number of segments (or regions).</summary>
    public int SegmentCount => _segments.Length;

    /// <summary>Words that could not be read, and are zero here.</summary>
    public long MissingBytes { get; private init; }

    /// <summary>Copies what ClrMD says objects lie in. The process must not run.</summary>
    /// <exception cref="ToolException">It is larger than can be looked at.</exception>
    internal static HeapCopy Take(ClrHeap heap, SegmentReader reader)
    {
        var ranges = heap.Segments
            .Where(segment => segment.ObjectRange.Length >= WordBytes)
            .OrderBy(segment => segment.ObjectRange.Start)
            .ToList();
        var words = ranges.Aggregate(0UL, (sum, segment) => sum + (segment.ObjectRange.Length / WordBytes));
        if (words >= NoSlot)
        {
            throw new ToolException(
                $"the GC heap has {words * WordBytes >> 30} GiB; more than 32 cannot be looked at", ExitCodes.Target);
        }

        var memory = (byte*)NativeMemory.AllocZeroed((nuint)words, WordBytes);
        var segments = new Segment[ranges.Count];
        var slot = 0u;
        var missing = 0L;
        for (var i = 0; i < segments.Length; i++)
        {
            var range = ranges[i].ObjectRange;
            var kind = ranges[i].Kind;
            var slots = (uint)(range.Length / WordBytes);
            segments[i] = new Segment(range.Start, slot, slots, kind is GCSegmentKind.Large or GCSegmentKind.Pinned);
            missing += Fill(reader, range.Start, memory + ((long)slot * WordBytes), (long)slots * WordBytes);
            slot += slots;
        }

        return new HeapCopy(segments, memory, slot) { MissingBytes = missing };
    }

    /// <summary>The slot of an address; <see cref="NoSlot"/> when it lies in no segment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint SlotOf(ulong address)
    {
        var index = IndexOf(address);
        if (index < 0)
        {
            return NoSlot;
        }
        ref readonly var segment = ref _segments[index];
        var offset = (address - segment.Start) / WordBytes;
        return offset < segment.Slots ? segment.FirstSlot + (uint)offset : NoSlot;
    }

    /// <summary>The address of a slot.</summary>
    public ulong AddressOf(uint slot)
    {
        var low = 0;
        var high = _segments.Length - 1;
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            if (_segments[middle].FirstSlot <= slot)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }
        return _segments[low].Start + ((ulong)(slot - _segments[low].FirstSlot) * WordBytes);
    }

    /// <summary>The word of a slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Word(uint slot) => *(ulong*)(_memory + ((long)slot * WordBytes));

    /// <summary>All words.</summary>
    public ReadOnlySpan<ulong> Words(uint slot, int count) => new(_memory + ((long)slot * WordBytes), count);

    /// <summary>The bytes from a slot on, to the end of its segment or <paramref name="most"/>.</summary>
    public ReadOnlySpan<byte> BytesAt(uint slot, int most)
    {
        var segment = _segments[SegmentIndex(slot)];
        var left = (long)(segment.FirstSlot + segment.Slots - slot) * WordBytes;
        return new ReadOnlySpan<byte>(_memory + ((long)slot * WordBytes), (int)Math.Min(left, most));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_memory);
        _memory = null;
    }

    /// <summary>One segment's place.</summary>
    internal ref readonly Segment SegmentAt(int index) => ref _segments[index];

    internal int SegmentIndex(uint slot) => IndexOf(AddressOf(slot));

    internal bool TryRead(ulong address, Span<byte> buffer)
    {
        var index = IndexOf(address);
        if (index < 0 || _memory is null)
        {
            return false;
        }
        ref readonly var segment = ref _segments[index];
        var offset = address - segment.Start;
        var bytes = (ulong)segment.Slots * WordBytes;
        if (offset >= bytes || (ulong)buffer.Length > bytes - offset)
        {
            return false;
        }
        new ReadOnlySpan<byte>(_memory + ((long)segment.FirstSlot * WordBytes) + offset, buffer.Length).CopyTo(buffer);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int IndexOf(ulong address)
    {
        var starts = _starts;
        var low = 0;
        var length = starts.Length;
        while (length > 0)
        {
            var half = length >> 1;
            if (starts[low + half] <= address)
            {
                low += half + 1;
                length -= half + 1;
            }
            else
            {
                length = half;
            }
        }
        return low - 1;
    }

    private static long Fill(SegmentReader reader, ulong address, byte* to, long bytes)
    {
        var missing = 0L;
        for (var done = 0L; done < bytes;)
        {
            var piece = (int)Math.Min(bytes - done, LargestRead);
            var got = reader.ReadBulk(address + (ulong)done, new Span<byte>(to + done, piece));
            if (got <= 0)
            {
                // A page of it is not there: pass over that one.
                const int page = 4096;
                got = (int)Math.Min(piece, page - (int)((address + (ulong)done) % page));
                missing += got;
            }
            done += got;
        }
        return missing;
    }

    /// <summary>A run of objects.</summary>
    /// <param name="Start">Its first address.</param>
    /// <param name="FirstSlot">The slot of it.</param>
    /// <param name="Slots">Words.</param>
    /// <param name="IsLarge">Large or pinned objects: no thread allocates in the middle of it.</param>
    internal readonly record struct Segment(ulong Start, uint FirstSlot, uint Slots, bool IsLarge);
}
