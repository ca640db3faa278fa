using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Model;

/// <summary>Live blocks in unmanaged memory, so that tens of millions cost the garbage collector nothing. Whoever made
/// it disposes it; reading is safe from several threads.</summary>
public sealed unsafe class HeapBlocks : IDisposable
{
    private const int DigitBits = 16;
    private const int AddressBits = 48;

    private HeapBlock* _blocks;
    private int _capacity;

    /// <summary>No blocks yet.</summary>
    /// <param name="capacity">Room for so many.</param>
    public HeapBlocks(int capacity = 16)
    {
        _capacity = Math.Max(capacity, 16);
        _blocks = (HeapBlock*)NativeMemory.Alloc((nuint)_capacity, (nuint)sizeof(HeapBlock));
    }

    /// <summary>How many.</summary>
    public int Count { get; private set; }

    /// <summary>The first; valid until one is added.</summary>
    public HeapBlock* Pointer => _blocks;

    /// <summary>A block by its place.</summary>
    public ref HeapBlock this[int index] => ref _blocks[index];

    /// <summary>Appends a block.</summary>
    public void Add(ulong address, ulong bytes, int stack)
    {
        if (Count == _capacity)
        {
            _capacity = checked(_capacity * 2);
            _blocks = (HeapBlock*)NativeMemory.Realloc(_blocks, (nuint)_capacity * (nuint)sizeof(HeapBlock));
        }

        _blocks[Count++] = new HeapBlock { Address = address, BytesAndState = bytes & ((1UL << HeapBlock.StateShift) - 1), Stack = stack };
    }

    /// <summary>Puts them into the order of their addresses (radix sort, least significant digit first).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    public void Sort()
    {
        var other = (HeapBlock*)NativeMemory.Alloc((nuint)_capacity, (nuint)sizeof(HeapBlock));
        var places = new int[1 << DigitBits];
        for (var shift = 0; shift < AddressBits; shift += DigitBits)
        {
            Array.Clear(places);
            for (var i = 0; i < Count; i++)
            {
                places[(_blocks[i].Address >> shift) & 0xFFFF]++;
            }

            var sum = 0;
            for (var digit = 0; digit < places.Length; digit++)
            {
                (places[digit], sum) = (sum, sum + places[digit]);
            }

            for (var i = 0; i < Count; i++)
            {
                other[places[(_blocks[i].Address >> shift) & 0xFFFF]++] = _blocks[i];
            }

            var sorted = other;
            other = _blocks;
            _blocks = sorted;
        }

        NativeMemory.Free(other);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_blocks);
        _blocks = null;
        Count = _capacity = 0;
    }
}
