using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeHeap.Model;

namespace NativeHeap.Collect.Stacks;

/// <summary>
/// The trace's merged tree: (parent, location) → id, dense from 1. A build of a .NET program has millions of nodes, so
/// they lie in unmanaged memory, in 22 to 34 bytes each. For one thread.
/// </summary>
internal sealed unsafe class StackTable : IDisposable
{
    private readonly NativeList<(int Parent, int Location)> _nodes = new();
    private readonly NativeList<ushort> _depths = new();
    private Place* _places; // by hash; at most two thirds are taken
    private uint _mask;

    public StackTable()
    {
        _mask = 63;
        _places = Empty(_mask + 1);
    }

    /// <summary>Nodes; the last has this id.</summary>
    public int Count => _nodes.Count;

    /// <summary>A node's parent (0: the root) and place in code.</summary>
    /// <param name="id">From 1 to <see cref="Count"/>.</param>
    public (int Parent, int Location) this[int id] => _nodes[id - 1];

    /// <summary>Nodes from the root to a node, itself included.</summary>
    /// <param name="id">0 (the root) to <see cref="Count"/>.</param>
    public int Depth(int id) => id == 0 ? 0 : _depths[id - 1];

    /// <summary>The node's id, a new one when there is none yet.</summary>
    public int IdOf(int parent, int location)
    {
        var hash = Hash(parent, location);
        for (var i = hash & _mask; _places[i].Id != 0; i = (i + 1) & _mask)
        {
            if (_places[i].Hash == hash && _nodes[_places[i].Id - 1] == (parent, location))
            {
                return _places[i].Id;
            }
        }

        return Add(parent, location, hash);
    }

    public void Dispose()
    {
        NativeMemory.Free(_places);
        _places = null;
        _nodes.Dispose();
        _depths.Dispose();
    }

    /// <summary>Where a node is looked for; different nodes may have the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Hash(int parent, int location)
    {
        var key = ((ulong)(uint)parent << 32) | (uint)location;
        key = (key ^ (key >> 29)) * 0x9E3779B97F4A7C15;
        return (uint)(key >> 32);
    }

    private static Place* Empty(uint places) => (Place*)NativeMemory.AllocZeroed(places, (nuint)sizeof(Place));

    private int Add(int parent, int location, uint hash)
    {
        if ((_nodes.Count + 1L) * 3 > (_mask + 1L) * 2)
        {
            Grow();
        }

        _depths.Add((ushort)Math.Min(Depth(parent) + 1, ushort.MaxValue));
        _nodes.Add((parent, location));
        Put(new Place { Id = _nodes.Count, Hash = hash });
        return _nodes.Count;
    }

    // In the order of the old places, so that what is written next lies beside what was written before.
    private void Grow()
    {
        var old = _places;
        var oldPlaces = _mask + 1;
        _places = Empty(checked(oldPlaces * 2));
        _mask = (oldPlaces * 2) - 1;
        for (uint i = 0; i < oldPlaces; i++)
        {
            if (old[i].Id != 0)
            {
                Put(old[i]);
            }
        }

        NativeMemory.Free(old);
    }

    private void Put(Place place)
    {
        var i = place.Hash & _mask;
        while (_places[i].Id != 0)
        {
            i = (i + 1) & _mask;
        }

        _places[i] = place;
    }

    // With the hash beside it, a node that is another need not be looked at.
    private struct Place
    {
        public int Id; // 0: empty
        public uint Hash;
    }
}
