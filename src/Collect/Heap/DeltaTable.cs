using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace NativeHeap.Collect.Heap;

/// <summary>What was added to counters since they were last written: key → blocks, bytes, both of any sign. Changes wait in a
/// list until there are many, so that the places that they go to are loaded together. Open addressing; keys are never taken
/// out one by one. For one thread.</summary>
internal sealed unsafe class DeltaTable : IDeltas, IDisposable
{
    private const int MostWaiting = 256; // 6 KiB
    private const int Ahead = 12;
    private const uint FirstPlaces = 64;
    private const uint MostKeptPlaces = 1 << 18; // 6 MiB

    private Delta* _waiting;
    private int _countWaiting;
    private Delta* _places;
    private uint _mask;
    private int _count;

    /// <summary>Keys seen since the last <see cref="Drain"/>, those that wait one by one.</summary>
    public int Count => _count + _countWaiting;

    /// <inheritdoc/>
    public void Add(ulong key, long blocks, long bytes)
    {
        if (_waiting is null)
        {
            _waiting = (Delta*)NativeMemory.Alloc(MostWaiting, (nuint)sizeof(Delta));
        }

        _waiting[_countWaiting++] = new Delta { KeyPlusOne = key + 1, Blocks = blocks, Bytes = bytes };
        if (_countWaiting == MostWaiting)
        {
            AddWaiting();
        }
    }

    /// <summary>Moves everything; the table is empty afterwards.</summary>
    /// <param name="to">Must not add to the table.</param>
    public void Drain(IDeltas to)
    {
        for (uint i = 0; _count > 0 && i <= _mask; i++)
        {
            ref var place = ref _places[i];
            if (place.KeyPlusOne != 0)
            {
                to.Add(place.KeyPlusOne - 1, place.Blocks, place.Bytes);
            }
        }

        for (var i = 0; i < _countWaiting; i++)
        {
            to.Add(_waiting[i].KeyPlusOne - 1, _waiting[i].Blocks, _waiting[i].Bytes);
        }

        Clear();
    }

    public void Dispose()
    {
        NativeMemory.Free(_waiting);
        _waiting = null;
        _countWaiting = 0;
        FreePlaces();
    }

    // Room is kept when as much may be needed again.
    private void Clear()
    {
        _countWaiting = 0;
        if (_mask >= MostKeptPlaces || _count <= _mask / 8)
        {
            FreePlaces();
        }
        else
        {
            NativeMemory.Clear(_places, (nuint)(_mask + 1) * (nuint)sizeof(Delta));
        }

        _count = 0;
    }

    private void FreePlaces()
    {
        NativeMemory.Free(_places);
        _places = null;
        _mask = 0;
        _count = 0;
    }

    private void AddWaiting()
    {
        while ((_count + _countWaiting) * 3L > (_places is null ? 0 : (_mask + 1L) * 2))
        {
            Grow();
        }

        for (var i = 0; i < _countWaiting; i++)
        {
            if (Sse.IsSupported && i + Ahead < _countWaiting)
            {
                Sse.Prefetch0(_places + Home(_waiting[i + Ahead].KeyPlusOne));
            }

            var place = Place(_waiting[i].KeyPlusOne);
            if (place->KeyPlusOne == 0)
            {
                place->KeyPlusOne = _waiting[i].KeyPlusOne;
                _count++;
            }

            place->Blocks += _waiting[i].Blocks;
            place->Bytes += _waiting[i].Bytes;
        }

        _countWaiting = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Home(ulong keyPlusOne) => (uint)((keyPlusOne * 0x9E3779B97F4A7C15) >> 32) & _mask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Delta* Place(ulong keyPlusOne)
    {
        var i = Home(keyPlusOne);
        while (_places[i].KeyPlusOne != 0 && _places[i].KeyPlusOne != keyPlusOne)
        {
            i = (i + 1) & _mask;
        }

        return _places + i;
    }

    private void Grow()
    {
        var old = _places;
        var oldPlaces = old is null ? 0 : _mask + 1;
        var places = old is null ? FirstPlaces : checked(oldPlaces * 2);
        _places = (Delta*)NativeMemory.Alloc(places, (nuint)sizeof(Delta));
        NativeMemory.Clear(_places, places * (nuint)sizeof(Delta)); // written, and not first read and then written, page by page
        _mask = places - 1;
        for (uint i = 0; i < oldPlaces; i++)
        {
            if (old[i].KeyPlusOne != 0)
            {
                *Place(old[i].KeyPlusOne) = old[i];
            }
        }

        NativeMemory.Free(old);
    }

    private struct Delta
    {
        public ulong KeyPlusOne; // 0: empty
        public long Blocks;
        public long Bytes;
    }
}
