using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Collect.Heap;

/// <summary>What was added to counters since they were last written: key → blocks, bytes, both of any sign.
/// Open addressing; keys are never taken out one by one. For one thread.</summary>
internal sealed unsafe class DeltaTable : IDisposable
{
    private const int FirstPlaces = 64;
    private const uint MostKeptPlaces = 1 << 16; // 1.5 MiB

    private Delta* _places;
    private uint _mask;

    /// <summary>Keys seen since the last <see cref="Clear"/>.</summary>
    public int Count { get; private set; }

    /// <summary>Adds to a key's counters.</summary>
    /// <param name="key">Anything but <see cref="ulong.MaxValue"/>.</param>
    /// <param name="blocks">Added to the first counter.</param>
    /// <param name="bytes">Added to the second.</param>
    public void Add(ulong key, long blocks, long bytes)
    {
        if (Count * 3 >= (_places is null ? 0 : (_mask + 1) * 2))
        {
            Grow();
        }

        var place = Place(key);
        if (place->KeyPlusOne == 0)
        {
            place->KeyPlusOne = key + 1;
            Count++;
        }

        place->Blocks += blocks;
        place->Bytes += bytes;
    }

    /// <summary>Moves everything into a list; the table is empty afterwards.</summary>
    public void Drain(List<(ulong Key, long Blocks, long Bytes)> to)
    {
        for (uint i = 0; Count > 0 && i <= _mask; i++)
        {
            ref var place = ref _places[i];
            if (place.KeyPlusOne != 0)
            {
                to.Add((place.KeyPlusOne - 1, place.Blocks, place.Bytes));
            }
        }

        Clear();
    }

    /// <summary>Empties the table. Its room is kept when as much may be needed again.</summary>
    public void Clear()
    {
        if (_places is not null && _mask < MostKeptPlaces && Count > _mask / 8)
        {
            NativeMemory.Clear(_places, (nuint)(_mask + 1) * (nuint)sizeof(Delta));
        }
        else
        {
            Dispose();
        }

        Count = 0;
    }

    public void Dispose()
    {
        NativeMemory.Free(_places);
        _places = null;
        _mask = 0;
        Count = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Delta* Place(ulong key)
    {
        var i = (uint)((key * 0x9E3779B97F4A7C15) >> 32) & _mask;
        while (_places[i].KeyPlusOne != 0 && _places[i].KeyPlusOne != key + 1)
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
        _places = (Delta*)NativeMemory.AllocZeroed(places, (nuint)sizeof(Delta));
        _mask = places - 1;
        for (uint i = 0; i < oldPlaces; i++)
        {
            if (old[i].KeyPlusOne != 0)
            {
                *Place(old[i].KeyPlusOne - 1) = old[i];
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
