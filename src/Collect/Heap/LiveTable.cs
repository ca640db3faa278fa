using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// The live blocks of a process by address. Extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): a
/// directory of segments, each open-addressed with linear probing and deletion by backward shift. A segment that fills
/// up doubles until it holds <see cref="SegmentPlaces"/> places and then splits in two, so no step moves more than one
/// segment whatever the table's size. For one thread.
/// </summary>
internal sealed unsafe class LiveTable : IDisposable
{
    /// <summary>Places of a full-grown segment: 1.5 MiB.</summary>
    public const int SegmentPlaces = 1 << SegmentBits;

    private const int SegmentBits = 16;
    private const int FirstBits = 5;
    private const int MaxDepth = 24;

    private Segment** _directory;
    private int _depth; // the directory has 1 << _depth entries

    public LiveTable()
    {
        _directory = (Segment**)NativeMemory.Alloc(1, (nuint)sizeof(Segment*));
        _directory[0] = NewSegment(FirstBits, 0);
    }

    /// <summary>Blocks in the table.</summary>
    public long Count { get; private set; }

    /// <summary>Starts to load the place of an address into the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(ulong address)
    {
        var hash = Hash(address);
        var segment = Find(hash);
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(segment->Places + Home(segment, hash));
        }
    }

    /// <summary>Adds a block.</summary>
    /// <param name="block">Its address is not 0.</param>
    /// <param name="previous">The block that stood at that address, when the result is true.</param>
    /// <returns>True when the address was taken: the new block has replaced the old one.</returns>
    public bool Insert(in LiveBlock block, out LiveBlock previous)
    {
        var hash = Hash(block.Address);
        var segment = Find(hash);
        if (segment->Count >= segment->Limit)
        {
            segment = Grow(segment, hash);
        }

        var mask = segment->Mask;
        for (var i = Home(segment, hash); ; i = (i + 1) & mask)
        {
            var place = segment->Places + i;
            if (place->Address == 0)
            {
                *place = block;
                segment->Count++;
                Count++;
                previous = default;
                return false;
            }

            if (place->Address == block.Address)
            {
                previous = *place;
                *place = block;
                return true;
            }
        }
    }

    /// <summary>Whether a block stands at that address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(ulong address)
    {
        var hash = Hash(address);
        var segment = Find(hash);
        var mask = segment->Mask;
        for (var i = Home(segment, hash); segment->Places[i].Address != 0; i = (i + 1) & mask)
        {
            if (segment->Places[i].Address == address)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes a block out.</summary>
    public bool Remove(ulong address, out LiveBlock block)
    {
        var hash = Hash(address);
        var segment = Find(hash);
        var mask = segment->Mask;
        for (var i = Home(segment, hash); ; i = (i + 1) & mask)
        {
            var place = segment->Places + i;
            if (place->Address == address)
            {
                block = *place;
                Close(segment, i);
                segment->Count--;
                Count--;
                return true;
            }

            if (place->Address == 0)
            {
                block = default;
                return false;
            }
        }
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

            for (uint i = 0; i <= segment->Mask; i++)
            {
                if (segment->Places[i].Address != 0)
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
            for (uint i = 0; d == FirstEntry(d, segment) && i <= segment->Mask; i++)
            {
                if (segment->Places[i].Address != 0)
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
        Count = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(ulong address) => (address >> 3) * 0x9E3779B97F4A7C15;

    // The directory takes the hash's upper bits, the place in a segment the ones below.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Segment* Find(ulong hash) => _directory[(hash >> 1) >> (63 - _depth)];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Home(Segment* segment, ulong hash) => (uint)(hash >> 20) & segment->Mask;

    private int FirstEntry(int entry, Segment* segment) => entry & (-1 << (_depth - segment->Depth));

    // Backward shift: moves up whoever would not be found any more with place i empty.
    private static void Close(Segment* segment, uint i)
    {
        var mask = segment->Mask;
        var places = segment->Places;
        for (var j = (i + 1) & mask; places[j].Address != 0; j = (j + 1) & mask)
        {
            var home = Home(segment, Hash(places[j].Address));
            if (((j - home) & mask) >= ((j - i) & mask))
            {
                places[i] = places[j];
                i = j;
            }
        }

        places[i].Address = 0;
    }

    private static Segment* NewSegment(int bits, int depth)
    {
        var segment = (Segment*)NativeMemory.Alloc(1, (nuint)sizeof(Segment));
        segment->Places = (LiveBlock*)NativeMemory.AllocZeroed((nuint)1 << bits, (nuint)sizeof(LiveBlock));
        segment->Mask = (1u << bits) - 1;
        segment->Limit = (1u << bits) / 8 * 5;
        segment->Count = 0;
        segment->Depth = depth;
        return segment;
    }

    private static void Free(Segment* segment)
    {
        NativeMemory.Free(segment->Places);
        NativeMemory.Free(segment);
    }

    private static void Put(Segment* segment, in LiveBlock block)
    {
        var i = Home(segment, Hash(block.Address));
        while (segment->Places[i].Address != 0)
        {
            i = (i + 1) & segment->Mask;
        }

        segment->Places[i] = block;
        segment->Count++;
    }

    private Segment* Grow(Segment* segment, ulong hash)
    {
        while (segment->Count >= segment->Limit)
        {
            if (segment->Mask + 1 < SegmentPlaces || segment->Depth == MaxDepth)
            {
                Double(segment);
            }
            else
            {
                Split(segment, (int)((hash >> 1) >> (63 - _depth)));
                segment = Find(hash);
            }
        }

        return segment;
    }

    private static void Double(Segment* segment)
    {
        var old = *segment;
        var bits = System.Numerics.BitOperations.Log2(old.Mask + 1) + 1;
        var grown = NewSegment(bits, old.Depth);
        for (uint i = 0; i <= old.Mask; i++)
        {
            if (old.Places[i].Address != 0)
            {
                Put(grown, old.Places[i]);
            }
        }

        *segment = *grown; // in place: the directory's entries stay right
        NativeMemory.Free(grown);
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
        for (uint i = 0; i <= segment->Mask; i++)
        {
            ref var block = ref segment->Places[i];
            if (block.Address != 0)
            {
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
        public uint Mask;
        public uint Limit;
        public uint Count;
        public int Depth; // upper bits of the hash that all its blocks share
    }
}
