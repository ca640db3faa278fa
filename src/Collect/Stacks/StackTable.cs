using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeHeap.Model;

namespace NativeHeap.Collect.Stacks;

/// <summary>
/// The trace's merged tree: (parent, location) → id, dense from 1. A build of a .NET program has millions of nodes, so
/// they lie in unmanaged memory, in some 20 bytes each. For one thread.
/// </summary>
internal sealed unsafe class StackTable : IDisposable
{
    private readonly NativeList<(int Parent, int Location)> _nodes = new();
    private readonly NativeList<ushort> _depths = new();
    private int* _places; // ids by hash, 0: empty; at most two thirds are taken
    private uint _mask;

    public StackTable()
    {
        _mask = 63;
        _places = (int*)NativeMemory.AllocZeroed(_mask + 1, sizeof(int));
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
        for (var i = Home(parent, location); ; i = (i + 1) & _mask)
        {
            var id = _places[i];
            if (id == 0)
            {
                break;
            }

            ref var node = ref _nodes[id - 1];
            if (node.Parent == parent && node.Location == location)
            {
                return id;
            }
        }

        return Add(parent, location);
    }

    public void Dispose()
    {
        NativeMemory.Free(_places);
        _places = null;
        _nodes.Dispose();
        _depths.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Home(int parent, int location)
    {
        var key = ((ulong)(uint)parent << 32) | (uint)location;
        key = (key ^ (key >> 29)) * 0x9E3779B97F4A7C15;
        return (uint)(key >> 32) & _mask;
    }

    private int Add(int parent, int location)
    {
        if ((_nodes.Count + 1L) * 3 > (_mask + 1L) * 2)
        {
            Grow();
        }

        _depths.Add((ushort)Math.Min(Depth(parent) + 1, ushort.MaxValue));
        _nodes.Add((parent, location));
        Put(_nodes.Count);
        return _nodes.Count;
    }

    private void Grow()
    {
        NativeMemory.Free(_places);
        var places = checked((_mask + 1) * 2);
        _places = (int*)NativeMemory.AllocZeroed(places, sizeof(int));
        _mask = places - 1;
        for (var id = 1; id <= _nodes.Count; id++)
        {
            Put(id);
        }
    }

    private void Put(int id)
    {
        var (parent, location) = _nodes[id - 1];
        var i = Home(parent, location);
        while (_places[i] != 0)
        {
            i = (i + 1) & _mask;
        }

        _places[i] = id;
    }
}
