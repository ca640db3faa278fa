using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Collect.Stacks;

/// <summary>Node of a calling-context tree → what it was resolved to. Nodes are numbered densely, so it is an array,
/// in pieces that are made where a process has nodes: a forked child has few of its tree's. For one thread.</summary>
internal sealed unsafe class NodeMap : IDisposable
{
    private const int PieceBits = 12;
    private const uint PieceMask = (1 << PieceBits) - 1;

    private readonly uint _capacity;
    private Known** _pieces; // made with the first entry

    /// <summary>An empty map.</summary>
    /// <param name="capacity">Nodes are below this.</param>
    public NodeMap(int capacity)
    {
        _capacity = (uint)capacity;
    }

    private uint Pieces => (_capacity + PieceMask) >> PieceBits;

    /// <summary>What is kept for a node; false when nothing is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(uint node, out int stack, out uint generation)
    {
        if (node < _capacity && _pieces is not null && _pieces[node >> PieceBits] is var piece && piece is not null)
        {
            ref var known = ref piece[node & PieceMask];
            stack = known.StackPlusOne - 1;
            generation = known.Generation;
            return stack >= 0;
        }

        stack = 0;
        generation = 0;
        return false;
    }

    /// <summary>Keeps something for a node below the capacity.</summary>
    public void Set(uint node, int stack, uint generation)
    {
        if (_pieces is null)
        {
            _pieces = (Known**)NativeMemory.AllocZeroed(Pieces, (nuint)sizeof(Known*));
        }

        ref var piece = ref _pieces[node >> PieceBits];
        if (piece is null)
        {
            piece = (Known*)NativeMemory.AllocZeroed(1 << PieceBits, (nuint)sizeof(Known));
        }

        piece[node & PieceMask] = new Known { StackPlusOne = stack + 1, Generation = generation };
    }

    /// <summary>Forgets everything; may be used again.</summary>
    public void Dispose()
    {
        for (uint i = 0; _pieces is not null && i < Pieces; i++)
        {
            NativeMemory.Free(_pieces[i]);
        }

        NativeMemory.Free(_pieces);
        _pieces = null;
    }

    private struct Known
    {
        public int StackPlusOne; // 0: nothing is known
        public uint Generation;
    }
}
