using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory;
using NativeHeap.Model;
using IMemoryReader = NativeHeap.Memory.Holding.IMemoryReader;

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
    private const int PieceBytes = 4 << 20; // what one thread copies at a time
    private const int PageBytes = 4096;

    private readonly Segment[] _segments;
    private readonly SegmentMap _map;
    private byte* _memory;

    private HeapCopy(Segment[] segments, byte* memory, uint slots)
    {
        _segments = segments;
        _map = new SegmentMap(segments);
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

    /// <summary>Copies what ClrMD says objects lie in, by several threads at once. The process must not run.</summary>
    /// <exception cref="ToolException">It is larger than can be looked at.</exception>
    internal static HeapCopy Take(ClrHeap heap, IMemoryReader reader)
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

        var segments = new Segment[ranges.Count];
        var slot = 0u;
        for (var i = 0; i < segments.Length; i++)
        {
            var range = ranges[i].ObjectRange;
            var kind = ranges[i].Kind;
            var slots = (uint)(range.Length / WordBytes);
            segments[i] = new Segment(range.Start, slot, slots, kind is GCSegmentKind.Large or GCSegmentKind.Pinned);
            slot += slots;
        }

        var memory = LargePages.Allocate(Math.Max(1, (long)slot * WordBytes));
        var missing = 0L;
        Parallel.ForEach(Pieces(segments), piece =>
        {
            var to = new Span<byte>(memory + piece.Offset, piece.Bytes);
            if (Fill(reader, piece.Address, to) is not 0 and var less)
            {
                Interlocked.Add(ref missing, less);
            }
        });
        return new HeapCopy(segments, memory, slot) { MissingBytes = missing };
    }

    /// <summary>The slot of an address; <see cref="NoSlot"/> when it lies in no segment.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint SlotOf(ulong address)
    {
        var index = _map.Find(address);
        return index < 0 ? NoSlot : _segments[index].FirstSlot + (uint)((address - _segments[index].Start) / WordBytes);
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
        if (_memory is not null)
        {
            LargePages.Free(_memory, Math.Max(1, ByteCount));
        }

        _memory = null;
    }

    /// <summary>Starts to load what is at a slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint slot)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(_memory + ((long)slot * WordBytes));
        }
    }

    /// <summary>One segment's place.</summary>
    internal ref readonly Segment SegmentAt(int index) => ref _segments[index];

    internal int SegmentIndex(uint slot) => _map.Find(AddressOf(slot));

    internal bool TryRead(ulong address, Span<byte> buffer)
    {
        var index = _map.Find(address);
        if (index < 0 || _memory is null)
        {
            return false;
        }
        ref readonly var segment = ref _segments[index];
        var offset = address - segment.Start;
        if ((ulong)buffer.Length > segment.End - address)
        {
            return false;
        }
        new ReadOnlySpan<byte>(_memory + ((long)segment.FirstSlot * WordBytes) + offset, buffer.Length).CopyTo(buffer);
        return true;
    }

    private static IEnumerable<(ulong Address, long Offset, int Bytes)> Pieces(Segment[] segments)
    {
        foreach (var segment in segments)
        {
            for (var at = segment.Start; at < segment.End; at += PieceBytes)
            {
                var offset = ((long)segment.FirstSlot * WordBytes) + (long)(at - segment.Start);
                yield return (at, offset, (int)Math.Min(PieceBytes, segment.End - at));
            }
        }
    }

    private static long Fill(IMemoryReader reader, ulong address, Span<byte> to)
    {
        var missing = 0L;
        for (var done = 0; done < to.Length;)
        {
            var got = reader.Read(address + (ulong)done, to[done..]);
            if (got <= 0)
            {
                // A page of it is not there: pass over that one.
                got = Math.Min(to.Length - done, PageBytes - (int)((address + (ulong)done) % PageBytes));
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
    internal readonly record struct Segment(ulong Start, uint FirstSlot, uint Slots, bool IsLarge)
    {
        /// <summary>One past its last address.</summary>
        public ulong End => Start + ((ulong)Slots * WordBytes);
    }
}
