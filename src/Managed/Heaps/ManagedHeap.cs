using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>
/// The objects of a copied heap: where each begins, its type and size. Built for ten million of them: a bit for each word
/// and no memory for each object. For one thread.
/// </summary>
public sealed unsafe class ManagedHeap : IDisposable
{
    /// <summary>Ranges of slots begin at multiples of this.</summary>
    public const uint RangeSlots = 64;

    private const int WordsOfRank = 8; // 512 slots
    private const ulong LowestAddress = 1 << 16; // below nothing is ever mapped (vm.mmap_min_addr)

    private readonly List<HeapType> _types = [];
    private readonly MethodTableMap _byMethodTable = new();
    private readonly Func<ulong, ulong, HeapType> _readType;
    private readonly uint[] _ranks;
    private ulong* _starts;

    private ManagedHeap(HeapCopy copy, Func<ulong, ulong, HeapType> readType)
    {
        Copy = copy;
        _readType = readType;
        var words = (copy.SlotCount / 64) + WordsOfRank + 1;
        _starts = (ulong*)NativeMemory.AllocZeroed(words, sizeof(ulong));
        _ranks = new uint[(words / WordsOfRank) + 1];
    }

    /// <summary>The memory.</summary>
    public HeapCopy Copy { get; }

    /// <summary>The types of its objects, in the order in which they were met.</summary>
    public IReadOnlyList<HeapType> Types => _types;

    /// <summary>Objects; gaps are none.</summary>
    public long ObjectCount { get; private set; }

    /// <summary>Bytes of objects.</summary>
    public long ObjectBytes { get; private set; }

    /// <summary>Segments that could not be read to their ends.</summary>
    public int DamagedSegments { get; private set; }

    /// <summary>Finds all objects of a copy.</summary>
    /// <param name="copy">From now on owned.</param>
    /// <param name="contexts">Where threads were allocating: from, to; no objects lie between.</param>
    /// <param name="readType">Describes the type of a method table, one of whose objects is at an address.</param>
    internal static ManagedHeap Walk(
        HeapCopy copy, IEnumerable<MemoryRange> contexts, Func<ulong, ulong, HeapType> readType)
    {
        var heap = new ManagedHeap(copy, readType);
        var gaps = contexts
            .Select(context => (From: copy.SlotOf(context.Start), Words: (uint)(context.Length / 8)))
            .Where(gap => gap.From != HeapCopy.NoSlot)
            .OrderBy(gap => gap.From)
            .ToArray();
        for (var i = 0; i < copy.SegmentCount; i++)
        {
            if (!heap.WalkSegment(copy.SegmentAt(i), gaps))
            {
                heap.DamagedSegments++;
            }
        }
        heap.CountRanks();
        heap.Sum();
        return heap;
    }

    /// <summary>Whether an object begins there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsObject(uint slot) => slot < Copy.SlotCount && (_starts[slot >> 6] >> (int)(slot & 63) & 1) != 0;

    /// <summary>The number of an object among all, gaps included, by rising address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint OrdinalOf(uint slot)
    {
        var word = slot >> 6;
        var rank = _ranks[word / WordsOfRank];
        for (var i = word & ~(uint)(WordsOfRank - 1); i < word; i++)
        {
            rank += (uint)BitOperations.PopCount(_starts[i]);
        }
        return rank + (uint)BitOperations.PopCount(_starts[word] & ((1UL << (int)(slot & 63)) - 1));
    }

    /// <summary>Objects and gaps.</summary>
    public uint OrdinalCount { get; private set; }

    /// <summary>The object that an address lies in; <see cref="HeapCopy.NoSlot"/> when there is none.</summary>
    public uint ObjectAround(ulong address)
    {
        var slot = Copy.SlotOf(address);
        if (slot == HeapCopy.NoSlot)
        {
            return HeapCopy.NoSlot;
        }
        var first = Copy.SegmentAt(Copy.SegmentIndex(slot)).FirstSlot;
        var word = slot >> 6;
        var bits = _starts[word] & (ulong.MaxValue >> (63 - (int)(slot & 63)));
        while (bits == 0 && word > first >> 6)
        {
            bits = _starts[--word];
        }
        if (bits == 0)
        {
            return HeapCopy.NoSlot;
        }
        var start = (word << 6) + 63 - (uint)BitOperations.LeadingZeroCount(bits);
        return start >= first && slot - start < (SizeOf(start) + 7) / 8 ? start : HeapCopy.NoSlot;
    }

    /// <summary>The type of an object.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public HeapType TypeOf(uint slot) => _types[_byMethodTable.Find(Copy.Word(slot) & ~7UL)];

    /// <summary>Bytes of an object, as ClrMD counts them: without what fills the last word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long SizeOf(uint slot) => SizeOf(slot, TypeOf(slot));

    /// <summary>Bytes of an object of a type that is known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long SizeOf(uint slot, HeapType type)
    {
        ArgumentNullException.ThrowIfNull(type);
        const int least = 24;
        long size = type.BaseSize;
        if (type.ComponentSize != 0)
        {
            size += (long)type.ComponentSize * (uint)Copy.Word(slot + 1);
        }
        return Math.Max(least, size);
    }

    /// <summary>All objects without the gaps, by rising address.</summary>
    public IEnumerable<uint> Objects() => Objects(0, Copy.SlotCount);

    /// <summary>The objects that begin in a range of slots, without the gaps, by rising address.</summary>
    /// <param name="from">A multiple of <see cref="RangeSlots"/>.</param>
    /// <param name="to">Such a one, or the end.</param>
    public IEnumerable<uint> Objects(uint from, uint to)
    {
        var end = (uint)(((ulong)to + RangeSlots - 1) / RangeSlots);
        for (var word = from / RangeSlots; word < end; word++)
        {
            for (var bits = StartsAt(word); bits != 0; bits &= bits - 1)
            {
                var slot = (word << 6) + (uint)BitOperations.TrailingZeroCount(bits);
                if (!TypeOf(slot).IsFree)
                {
                    yield return slot;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_starts);
        _starts = null;
        Copy.Dispose();
    }

    private ulong StartsAt(uint word) => _starts[word];

    private bool WalkSegment(in HeapCopy.Segment segment, (uint From, uint Words)[] gaps)
    {
        const uint gapTail = 3; // the least object, which a thread keeps room for
        var slot = segment.FirstSlot;
        var first = slot;
        var end = slot + segment.Slots;
        var gap = segment.IsLarge ? gaps.Length : Array.FindIndex(gaps, context => context.From >= first);
        gap = gap < 0 ? gaps.Length : gap;
        while (slot < end)
        {
            while (gap < gaps.Length && gaps[gap].From < slot)
            {
                gap++;
            }
            if (gap < gaps.Length && gaps[gap].From == slot)
            {
                slot += gaps[gap++].Words + gapTail;
                continue;
            }
            var methodTable = Copy.Word(slot) & ~7UL;
            if (methodTable < LowestAddress)
            {
                slot++; // room between objects that the collector has moved together; it may hold one of its own numbers
                continue;
            }
            if (TypeFor(methodTable, slot) is not { BaseSize: > 0 } type)
            {
                return false;
            }
            var size = SizeOf(slot, type);
            var words = (size + 7) / 8;
            if (words > end - slot)
            {
                return false;
            }
            _starts[slot >> 6] |= 1UL << (int)(slot & 63);
            type.Count++;
            type.Bytes += size;
            slot += (uint)words;
        }
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private HeapType TypeFor(ulong methodTable, uint slot)
    {
        var index = _byMethodTable.Find(methodTable);
        return index >= 0 ? _types[index] : AddType(methodTable, slot);
    }

    private HeapType AddType(ulong methodTable, uint slot)
    {
        var type = _readType(methodTable, Copy.AddressOf(slot));
        _byMethodTable.Add(methodTable, _types.Count);
        _types.Add(type);
        return type;
    }

    private void CountRanks()
    {
        var words = (Copy.SlotCount / 64) + 1;
        var sum = 0u;
        for (var word = 0u; word < words; word++)
        {
            if (word % WordsOfRank == 0)
            {
                _ranks[word / WordsOfRank] = sum;
            }
            sum += (uint)BitOperations.PopCount(_starts[word]);
        }
        OrdinalCount = sum;
    }

    private void Sum()
    {
        foreach (var type in _types.Where(type => !type.IsFree))
        {
            ObjectCount += type.Count;
            ObjectBytes += type.Bytes;
        }
    }
}
