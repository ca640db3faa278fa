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

    private const int Ahead = 8; // nodes of the queue whose memory is loaded before it is their turn
    private const uint RangeSlots = 1 << 20; // what one thread looks through at a time
    private const int RangeBlocks = 1 << 14;

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
    private uint* _depths;
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

    /// <summary>Reaches all that hangs from roots, the nearest first. What was reached by an earlier call keeps its chain, so
    /// roots that say more are given first.</summary>
    public void Search(IEnumerable<GraphRoot> roots)
    {
        ArgumentNullException.ThrowIfNull(roots);
        foreach (var root in roots)
        {
            if (root.Node != NoNode && Reach(root.Node, root.Node))
            {
                _roots.Add(root.Node, root);
            }
        }

        for (; _searched < _queueEnd; _searched++)
        {
            if (_searched + Ahead < _queueEnd && _queue[_searched + Ahead] is var next && next < _slots)
            {
                _heap!.Copy.Prefetch(next);
            }

            var node = _queue[_searched];
            var visitor = new Reacher(this, node);
            Visit(node, ref visitor);
        }
    }

    /// <summary>A number by which reached nodes are sorted: those with roots of earlier rounds
    /// (<see cref="GraphRootKinds.Round"/>) first, and among them those with shorter chains. All searches are over; takes
    /// four more bytes for each object and block.</summary>
    public uint DepthOf(uint node)
    {
        if (_depths is null)
        {
            FindDepths();
        }

        return _depths[Ordinal(node)];
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
        var finder = new Finder(new NodeFilter(this, targets));
        Visit(node, ref finder);
        return finder.Found ?? [];
    }

    /// <summary>The nodes that point to a set of others, each with whom it points to, by rising number; none with itself. By
    /// several threads.</summary>
    /// <param name="targets">Nodes.</param>
    /// <param name="isReached">Only nodes that were reached.</param>
    public IReadOnlyList<(uint Holder, uint Held)> HoldersOf(IReadOnlySet<uint> targets, bool isReached)
    {
        var filter = new NodeFilter(this, targets);
        var slotRanges = (int)(((ulong)_slots + RangeSlots - 1) / RangeSlots);
        var ranges = slotRanges + ((_blocks.Count + RangeBlocks - 1) / RangeBlocks);
        var found = new List<(uint, uint)>[ranges];
        Parallel.For(0, ranges, range =>
        {
            var holders = found[range] = [];
            foreach (var node in range < slotRanges ? ObjectsOf((uint)range) : BlocksOf(range - slotRanges))
            {
                var finder = new Finder(filter);
                Visit(node, ref finder);
                if (finder.Found is { } edges && (!isReached || IsReached(node)))
                {
                    holders.AddRange(edges.Select(edge => edge.Target).Distinct().Where(target => target != node)
                        .Select(target => (node, target)));
                }
            }
        });
        return [.. found.SelectMany(holders => holders)];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_parents);
        NativeMemory.Free(_queue);
        NativeMemory.Free(_depths);
        _parents = _queue = _depths = null;
    }

    private interface IVisitor
    {
        /// <summary>Whether pointers to blocks are of interest.</summary>
        bool WantsBlocks { get; }

        /// <summary>Whether a reference may be of interest.</summary>
        bool Wants(ulong reference);

        void Edge(uint target, long offset);
    }

    private readonly struct Reacher(HeapGraph graph, uint from) : IVisitor
    {
        public bool WantsBlocks => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Wants(ulong reference) => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Edge(uint target, long offset) => graph.Reach(target, from);
    }

    private struct Finder(NodeFilter targets) : IVisitor
    {
        public List<(uint Target, long Offset)>? Found { get; private set; }

        public readonly bool WantsBlocks => targets.HasBlocks;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly bool Wants(ulong reference) => targets.May(reference);

        public void Edge(uint target, long offset)
        {
            if (targets.Nodes.Contains(target))
            {
                (Found ??= []).Add((target, offset));
            }
        }
    }

    // Tells most references that are to none of a set of nodes by one look.
    private sealed class NodeFilter
    {
        private const int Bits = 16;

        private readonly ulong[] _seen = new ulong[(1 << Bits) / 64];

        public NodeFilter(HeapGraph graph, IReadOnlySet<uint> nodes)
        {
            Nodes = nodes;
            foreach (var node in nodes)
            {
                if (graph.IsBlock(node, out _))
                {
                    HasBlocks = true;
                }
                else
                {
                    var bit = Hash(graph._heap!.Copy.AddressOf(node));
                    _seen[bit / 64] |= 1UL << (bit % 64);
                }
            }
        }

        public IReadOnlySet<uint> Nodes { get; }

        public bool HasBlocks { get; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool May(ulong reference)
        {
            var bit = Hash(reference);
            return (_seen[bit / 64] >> (bit % 64) & 1) != 0;
        }

        private static int Hash(ulong address) => (int)((address >> 3) * 0x9E3779B97F4A7C15 >> (64 - Bits));
    }

    private IEnumerable<uint> ObjectsOf(uint range) =>
        _heap!.Objects(range * RangeSlots, (uint)Math.Min(_slots, ((ulong)range + 1) * RangeSlots));

    private IEnumerable<uint> BlocksOf(int range) => Enumerable
        .Range(range * RangeBlocks, Math.Min(RangeBlocks, _blocks.Count - (range * RangeBlocks))).Select(NodeOfBlock);

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

    // Parents come before their children in the queue.
    private void FindDepths()
    {
        const int roundShift = 29;
        _depths = (uint*)NativeMemory.Alloc((nuint)_nodes + 1, sizeof(uint));
        for (var i = 0; i < _queueEnd; i++)
        {
            var (node, parent) = (_queue[i], ParentOf(_queue[i]));
            _depths[Ordinal(node)] = parent == node
                ? (uint)RootOf(node).Kind.Round() << roundShift
                : Math.Min(_depths[Ordinal(parent)] + 1, _depths[Ordinal(parent)] | ((1U << roundShift) - 1));
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

        if (_blocks.Count > 0 && visitor.WantsBlocks && type.MayHoldPointers)
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
                var slot = references[i] == 0 || !visitor.Wants(references[i]) ? HeapCopy.NoSlot : copy.SlotOf(references[i]);
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
        if (BlockState.Of(block) == BlockState.Gone || !visitor.WantsBlocks)
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
