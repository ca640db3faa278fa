using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeHeap.Managed.Heaps;
using NativeHeap.Model;

namespace NativeHeap.Graph.Objects;

/// <summary>
/// Native blocks and managed objects as one graph: precise references between objects, words that point into a block
/// everywhere else. A node is a number: the slot of an object, or the number of all slots plus a block's place. Takes eight
/// bytes for each object and block. For one thread.
/// </summary>
public sealed unsafe class HeapGraph : IDisposable
{
    /// <summary>No node.</summary>
    public const uint NoNode = uint.MaxValue;

    private readonly ManagedHeap? _heap;
    private readonly HeapBlocks _blocks;
    private readonly BlockIndex _index;
    private readonly BlockFinder _finder;
    private readonly TargetCopy _memory;
    private readonly uint _slots;
    private readonly uint _ordinals;
    private readonly Dictionary<uint, List<uint>> _dependents = [];
    private readonly Dictionary<uint, GraphRoot> _roots = [];
    private readonly int _nodes;
    private uint* _parents;
    private uint* _queue;
    private int _queueEnd;
    private int _searched;

    /// <summary>A graph of which nothing is reached yet.</summary>
    /// <param name="picture">What it is made of; stays the caller's.</param>
    /// <exception cref="ToolException">It is more than can be numbered.</exception>
    public HeapGraph(HeapPicture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        _heap = picture.Heap;
        _blocks = picture.Blocks;
        _index = picture.Index;
        _finder = new BlockFinder(picture.Blocks, picture.Index);
        _memory = picture.Memory;
        _slots = _heap?.Copy.SlotCount ?? 0;
        _ordinals = _heap?.OrdinalCount ?? 0;
        var nodes = _ordinals + (ulong)_blocks.Count;
        if (nodes >= int.MaxValue || _slots + (ulong)_blocks.Count >= NoNode)
        {
            throw new ToolException($"{picture.Name} has more objects and blocks than can be searched", ExitCodes.Target);
        }

        _nodes = (int)nodes;
        _parents = (uint*)NativeMemory.Alloc((nuint)nodes + 1, sizeof(uint));
        new Span<uint>(_parents, _nodes).Fill(NoNode);
        _queue = (uint*)NativeMemory.Alloc((nuint)nodes + 1, sizeof(uint));
        foreach (var (key, value) in picture.Dependents)
        {
            AddDependent(key, value);
        }
    }

    /// <summary>Nodes that were reached.</summary>
    public int ReachedCount => _queueEnd;

    /// <summary>The node of an object.</summary>
    public uint NodeOfObject(ulong address)
    {
        var slot = _heap?.Copy.SlotOf(address) ?? HeapCopy.NoSlot;
        return slot != HeapCopy.NoSlot && _heap!.IsObject(slot) ? slot : NoNode;
    }

    /// <summary>The node that an address lies in, of an object or of a block.</summary>
    public uint NodeAround(ulong address)
    {
        if (_heap?.ObjectAround(address) is { } slot && slot != HeapCopy.NoSlot && !_heap.TypeOf(slot).IsFree)
        {
            return slot;
        }

        var place = _index.Find(address);
        return place == BlockIndex.None || address >= _blocks[place].End ? NoNode : NodeOfBlock(place);
    }

    /// <summary>The node of a block.</summary>
    public uint NodeOfBlock(int place) => _slots + (uint)place;

    /// <summary>Whether a node is a block, and which.</summary>
    public bool IsBlock(uint node, out int place)
    {
        place = (int)(node - _slots);
        return node != NoNode && node >= _slots;
    }

    /// <summary>Whether a node was reached from a root.</summary>
    public bool IsReached(uint node) => _parents[Ordinal(node)] != NoNode;

    /// <summary>The node that a node was reached from first; itself when it hangs from a root.</summary>
    public uint ParentOf(uint node) => _parents[Ordinal(node)];

    /// <summary>The root that a node hangs from first.</summary>
    public GraphRoot RootOf(uint node) => _roots[node];

    /// <summary>A reached node, in the order of reaching.</summary>
    public uint Reached(int place) => _queue[place];

    /// <summary>Makes a node hang from a root, if nothing reached it so far.</summary>
    public void AddRoot(GraphRoot root)
    {
        if (root.Node != NoNode && Reach(root.Node, root.Node))
        {
            _roots.Add(root.Node, root);
        }
    }

    /// <summary>Reaches all that hangs from the roots added so far: the nearest first. What was reached by an earlier call
    /// keeps its chain, so roots that say more are added first.</summary>
    public void Search()
    {
        for (; _searched < _queueEnd; _searched++)
        {
            var node = _queue[_searched];
            var visitor = new Reacher(this, node);
            Visit(node, ref visitor);
        }
    }

    /// <summary>The chain of a node that was reached, from the node that hangs from the root.</summary>
    public IReadOnlyList<uint> ChainTo(uint node)
    {
        var chain = new List<uint> { node };
        while (ParentOf(node) != node)
        {
            node = ParentOf(node);
            chain.Add(node);
        }

        chain.Reverse();
        return chain;
    }

    /// <summary>The offset of an edge that is no word of its node: a dependent handle.</summary>
    public const long NoOffset = -1;

    /// <summary>The pointers of a node to a set of others: which, and how many bytes into the node the word stands
    /// (<see cref="NoOffset"/>: an object that is kept alive without a reference).</summary>
    public IReadOnlyList<(uint Target, long Offset)> EdgesTo(uint node, IReadOnlySet<uint> targets)
    {
        var finder = new Finder(targets);
        Visit(node, ref finder);
        return finder.Found ?? [];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_parents);
        NativeMemory.Free(_queue);
        _parents = _queue = null;
    }

    private interface IVisitor
    {
        void Edge(uint target, long offset);
    }

    private readonly struct Reacher(HeapGraph graph, uint from) : IVisitor
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Edge(uint target, long offset) => graph.Reach(target, from);
    }

    private struct Finder(IReadOnlySet<uint> targets) : IVisitor
    {
        public List<(uint, long)>? Found { get; private set; }

        public void Edge(uint target, long offset)
        {
            if (targets.Contains(target))
            {
                (Found ??= []).Add((target, offset));
            }
        }
    }

    private void AddDependent(ulong key, ulong value)
    {
        var (from, to) = (NodeOfObject(key), NodeOfObject(value));
        if (from != NoNode && to != NoNode)
        {
            if (!_dependents.TryGetValue(from, out var list))
            {
                _dependents.Add(from, list = []);
            }

            list.Add(to);
        }
    }

    private uint Ordinal(uint node) => node < _slots ? _heap!.OrdinalOf(node) : _ordinals + (node - _slots);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Reach(uint node, uint from)
    {
        ref var parent = ref _parents[Ordinal(node)];
        if (parent != NoNode)
        {
            return false;
        }

        parent = from;
        _queue[_queueEnd++] = node;
        return true;
    }

    private void Visit<T>(uint node, ref T visitor)
        where T : struct, IVisitor
    {
        if (node >= _slots)
        {
            VisitBlock(node, ref visitor);
            return;
        }

        var heap = _heap!;
        var type = heap.TypeOf(node);
        var words = (int)Math.Min((heap.SizeOf(node, type) + 7) / sizeof(ulong), int.MaxValue);
        if (type.HasReferences)
        {
            VisitReferences(node, type, words, ref visitor);
        }

        if (_blocks.Count > 0 && type.MayHoldPointers)
        {
            fixed (ulong* start = heap.Copy.Words(node, words - 1))
            {
                VisitWords(node, start + 1, words - 2, sizeof(ulong), ref visitor);
            }
        }

        foreach (var dependent in _dependents.Count > 0 ? _dependents.GetValueOrDefault(node, []) : [])
        {
            visitor.Edge(dependent, NoOffset);
        }
    }

    private void VisitReferences<T>(uint node, HeapType type, int words, ref T visitor)
        where T : struct, IVisitor
    {
        var copy = _heap!.Copy;
        foreach (var (from, count) in new ReferenceRuns(type, words))
        {
            var references = copy.Words(node + (uint)from, count);
            for (var i = 0; i < references.Length; i++)
            {
                var slot = references[i] == 0 ? HeapCopy.NoSlot : copy.SlotOf(references[i]);
                if (slot != HeapCopy.NoSlot && _heap.IsObject(slot))
                {
                    visitor.Edge(slot, (long)(from + i) * sizeof(ulong));
                }
            }
        }
    }

    private void VisitBlock<T>(uint node, ref T visitor)
        where T : struct, IVisitor
    {
        ref var block = ref _blocks[(int)(node - _slots)];
        if (BlockState.Of(block) == BlockState.Gone)
        {
            return;
        }

        var end = block.Address + block.Bytes;
        for (var at = (block.Address + 7) & ~7UL; at + sizeof(ulong) <= end;)
        {
            var start = _memory.Known(at);
            var left = TargetCopy.PieceBytes - (at & (TargetCopy.PieceBytes - 1));
            var count = (int)(Math.Min(left, end - at) / sizeof(ulong));
            if (start is not null)
            {
                VisitWords(node, (ulong*)start, count, (long)(at - block.Address), ref visitor);
            }

            at += (ulong)Math.Max(count, 1) * sizeof(ulong);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void VisitWords<T>(uint node, ulong* words, int count, long offset, ref T visitor)
        where T : struct, IVisitor
    {
        for (var i = 0; i < count; i++)
        {
            if (_finder.Find(words[i]) is var place && place != BlockIndex.None && _slots + (uint)place != node)
            {
                visitor.Edge(_slots + (uint)place, offset + ((long)i * sizeof(ulong)));
            }
        }
    }
}
