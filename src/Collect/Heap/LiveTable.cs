using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// The live blocks of a process by address. Extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): a
/// directory of segments, each a Swiss table (Kulukundis 2017; Abseil's flat_hash_map): places in groups of 16, and for
/// each place a byte with 7 bits of its block's hash, so that one comparison tells where in a group a block can be. A
/// segment that fills up doubles until it holds <see cref="SegmentPlaces"/> places and then splits in two, so no step
/// moves more than one segment whatever the table's size. For one thread.
/// </summary>
internal sealed unsafe class LiveTable : IDisposable
{
    /// <summary>Places of a full-grown segment: 1.6 MiB.</summary>
    public const int SegmentPlaces = 1 << SegmentBits;

    private const int SegmentBits = 16;
    private const int FirstBits = 5;
    private const int MaxDepth = 24;
    private const int GroupBits = 4;
    private const uint GroupPlaces = 1 << GroupBits;
    private const uint PlacesInCache = 1 << 12; // 100 KiB

    // Bytes of places without a block; those of places with one are below 0x80.
    private const byte Empty = 0x80;
    private const byte Left = 0xFE; // its block went while its group was full: a search goes on to the next group

    private Segment** _directory;
    private int _depth; // the directory has 1 << _depth entries

    public LiveTable()
    {
        _directory = (Segment**)NativeMemory.Alloc(1, (nuint)sizeof(Segment*));
        _directory[0] = NewSegment(FirstBits, 0);
    }

    /// <summary>Blocks in the table; counted anew each time.</summary>
    public long Count
    {
        get
        {
            long count = 0;
            for (var d = 0; _directory is not null && d < 1 << _depth; d++)
            {
                count += d == FirstEntry(d, _directory[d]) ? _directory[d]->Count : 0;
            }

            return count;
        }
    }

    /// <summary>Whether it is more than a processor's own cache holds, and prefetching is worth its time.</summary>
    public bool IsLarge => _depth > 0 || _directory[0]->PlaceCount > PlacesInCache;

    /// <summary>Starts to load into the cache what tells where an address is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchGroup(ulong address)
    {
        var hash = Hash(address);
        var segment = Find(hash);
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(segment->Bytes + Home(segment, hash));
        }
    }

    /// <summary>Starts to load the place where an address is or will be, as far as the first group of the two tells.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchPlace(ulong address)
    {
        var hash = Hash(address);
        var segment = Find(hash);
        var home = Home(segment, hash);
        var like = Matching(Vector128.Load(segment->Bytes + home), Byte(hash));
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(segment->Places + home + (like == 0 ? Wish(hash) : (uint)BitOperations.TrailingZeroCount(like)));
        }
    }

    /// <summary>The place for a block, to be filled in by the caller at once.</summary>
    /// <param name="address">Not 0.</param>
    /// <param name="wasTaken">Whether a block of that address stands there.</param>
    /// <returns>Valid until the next call.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public LiveBlock* Add(ulong address, out bool wasTaken)
    {
        var hash = Hash(address);
        var segment = Find(hash);
        var place = Search(segment, hash, address);
        wasTaken = place is not null;
        if (wasTaken)
        {
            return place;
        }

        if (segment->Room == 0)
        {
            segment = MakeRoom(segment, hash);
        }

        place = segment->Places + Occupy(segment, hash);
        place->Address = address;
        return place;
    }

    /// <summary>The block of an address; null when there is none. Valid until the next change.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public LiveBlock* Get(ulong address)
    {
        var hash = Hash(address);
        return Search(Find(hash), hash, address);
    }

    /// <summary>Takes a block out.</summary>
    /// <param name="block">Where it is.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(LiveBlock* block)
    {
        var segment = Find(Hash(block->Address));
        Vacate(segment, (uint)(block - segment->Places));
    }

    /// <summary>Appends every block, in no particular order.</summary>
    /// <param name="to">Gets the blocks.</param>
    /// <param name="most">Stops after so many.</param>
    public void CopyTo(List<LiveBlock> to, int most)
    {
        for (var d = 0; d < 1 << _depth; d++)
        {
            var segment = _directory[d];
            if (d != FirstEntry(d, segment))
            {
                continue; // several entries may lead to one segment
            }

            for (uint i = 0; i < segment->PlaceCount; i++)
            {
                if (segment->Bytes[i] < Empty)
                {
                    if (to.Count >= most)
                    {
                        return;
                    }

                    to.Add(segment->Places[i]);
                }
            }
        }
    }

    /// <summary>Calls for every block, in no particular order.</summary>
    public void ForEach(Action<LiveBlock> action)
    {
        for (var d = 0; d < 1 << _depth; d++)
        {
            var segment = _directory[d];
            for (uint i = 0; d == FirstEntry(d, segment) && i < segment->PlaceCount; i++)
            {
                if (segment->Bytes[i] < Empty)
                {
                    action(segment->Places[i]);
                }
            }
        }
    }

    public void Dispose()
    {
        if (_directory is null)
        {
            return;
        }

        // From the back: a segment's first entry is the last to lead to it.
        for (var d = (1 << _depth) - 1; d >= 0; d--)
        {
            if (d == FirstEntry(d, _directory[d]))
            {
                Free(_directory[d]);
            }
        }

        NativeMemory.Free(_directory);
        _directory = null;
    }

    // Parts of the hash that do not overlap: 24 bits for the directory, 7 for a place's byte, 12 for the group, 4 for
    // the place in it that a block gets when that is free.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(ulong address) => (address >> 4) * WireConstants.StripeMultiplier; // computed once for both

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Segment* Find(ulong hash) => _directory[(hash >> 1) >> (63 - _depth)];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte Byte(ulong hash) => (byte)((hash >> 32) & 0x7F);

    // The first place of the group where a search begins.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Home(Segment* segment, ulong hash) => (uint)(hash >> 16) & segment->GroupMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Wish(ulong hash) => (uint)(hash >> 16) & (GroupPlaces - 1);

    private int FirstEntry(int entry, Segment* segment) => entry & (-1 << (_depth - segment->Depth));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Matching(Vector128<byte> group, byte value) =>
        Vector128.Equals(group, Vector128.Create(value)).ExtractMostSignificantBits();

    // The place of an address; null when it has none.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static LiveBlock* Search(Segment* segment, ulong hash, ulong address)
    {
        for (var first = Home(segment, hash); ; first = (first + GroupPlaces) & segment->GroupMask)
        {
            var group = Vector128.Load(segment->Bytes + first);
            for (var like = Matching(group, Byte(hash)); like != 0; like &= like - 1)
            {
                var place = segment->Places + first + (uint)BitOperations.TrailingZeroCount(like);
                if (place->Address == address)
                {
                    return place;
                }
            }

            if (Matching(group, Empty) != 0)
            {
                return null;
            }
        }
    }

    // Takes a free place for a hash that is not there; there is room.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Occupy(Segment* segment, ulong hash)
    {
        var first = Home(segment, hash);
        uint free;
        while ((free = Vector128.Load(segment->Bytes + first).ExtractMostSignificantBits()) == 0)
        {
            first = (first + GroupPlaces) & segment->GroupMask;
        }

        // The one that was loaded ahead, or the next after it.
        var wish = (int)Wish(hash);
        var twice = (free | (free << (int)GroupPlaces)) >> wish;
        var place = first + ((uint)(wish + BitOperations.TrailingZeroCount(twice)) & (GroupPlaces - 1));
        segment->Room -= segment->Bytes[place] == Empty ? 1u : 0u;
        segment->Bytes[place] = Byte(hash);
        segment->Count++;
        return place;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Vacate(Segment* segment, uint place)
    {
        // A group with an empty place was never full: no search has to go beyond it.
        var hasEmpty = Matching(Vector128.Load(segment->Bytes + (place & ~(GroupPlaces - 1))), Empty) != 0;
        segment->Bytes[place] = hasEmpty ? Empty : Left;
        segment->Room += hasEmpty ? 1u : 0u;
        segment->Count--;
    }

    private static Segment* NewSegment(int bits, int depth)
    {
        var places = (nuint)1 << bits;
        var segment = (Segment*)NativeMemory.Alloc(1, (nuint)sizeof(Segment));
        segment->Places = (LiveBlock*)NativeMemory.Alloc(places, (nuint)sizeof(LiveBlock) + 1);
        segment->Bytes = (byte*)(segment->Places + places);
        NativeMemory.Fill(segment->Bytes, places, Empty);
        segment->GroupMask = (uint)(places - 1) & ~(GroupPlaces - 1);
        segment->Room = (uint)places / 8 * 7;
        segment->Count = 0;
        segment->Depth = depth;
        return segment;
    }

    private static void Free(Segment* segment)
    {
        NativeMemory.Free(segment->Places);
        NativeMemory.Free(segment);
    }

    private static void Put(Segment* segment, in LiveBlock block) => segment->Places[Occupy(segment, Hash(block.Address))] = block;

    private Segment* MakeRoom(Segment* segment, ulong hash)
    {
        while (segment->Room == 0)
        {
            if (segment->Count <= segment->PlaceCount / 4 * 3)
            {
                Remake(segment, segment->PlaceCount); // much of the room is taken by blocks that left
            }
            else if (segment->PlaceCount < SegmentPlaces || segment->Depth == MaxDepth)
            {
                Remake(segment, segment->PlaceCount * 2);
            }
            else
            {
                Split(segment, (int)((hash >> 1) >> (63 - _depth)));
                segment = Find(hash);
            }
        }

        return segment;
    }

    private static void Remake(Segment* segment, uint places)
    {
        var old = *segment;
        var made = NewSegment(BitOperations.Log2(places), old.Depth);
        for (uint i = 0; i < old.PlaceCount; i++)
        {
            if (old.Bytes[i] < Empty)
            {
                Put(made, old.Places[i]);
            }
        }

        *segment = *made; // in place: the directory's entries stay right
        NativeMemory.Free(made);
        NativeMemory.Free(old.Places);
    }

    private void Split(Segment* segment, int entry)
    {
        if (segment->Depth == _depth)
        {
            DoubleDirectory();
            entry *= 2;
        }

        var depth = segment->Depth + 1;
        var low = NewSegment(SegmentBits, depth);
        var high = NewSegment(SegmentBits, depth);
        for (uint i = 0; i < segment->PlaceCount; i++)
        {
            if (segment->Bytes[i] < Empty)
            {
                ref var block = ref segment->Places[i];
                Put(((Hash(block.Address) >> (64 - depth)) & 1) == 0 ? low : high, block);
            }
        }

        var first = FirstEntry(entry, segment);
        var half = 1 << (_depth - depth);
        for (var d = 0; d < half; d++)
        {
            _directory[first + d] = low;
            _directory[first + half + d] = high;
        }

        Free(segment);
    }

    private void DoubleDirectory()
    {
        var entries = 1 << _depth;
        var doubled = (Segment**)NativeMemory.Alloc((nuint)entries * 2, (nuint)sizeof(Segment*));
        for (var d = 0; d < entries; d++)
        {
            doubled[2 * d] = doubled[(2 * d) + 1] = _directory[d];
        }

        NativeMemory.Free(_directory);
        _directory = doubled;
        _depth++;
    }

    private struct Segment
    {
        public LiveBlock* Places;
        public byte* Bytes; // one for each place
        public uint GroupMask; // of the first places of groups
        public uint Room; // empty places that may still be filled
        public uint Count;
        public int Depth; // upper bits of the hash that all its blocks share

        public readonly uint PlaceCount => GroupMask + GroupPlaces;
    }
}
