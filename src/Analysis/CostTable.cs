namespace NativeHeap.Analysis;

/// <summary>Bytes and blocks by node of a <see cref="MergedTree"/>. Sums are checked.</summary>
internal sealed class CostTable
{
    private readonly long[] _bytes;
    private readonly long[] _blocks;

    public CostTable(int nodes)
    {
        _bytes = new long[nodes];
        _blocks = new long[nodes];
    }

    /// <summary>Bytes over all nodes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Blocks over all nodes.</summary>
    public long Blocks { get; private set; }

    /// <summary>Adds to a node.</summary>
    /// <exception cref="OverflowException">No 64-bit number holds the sum.</exception>
    public void Add(int node, long bytes, long blocks)
    {
        checked
        {
            Bytes += bytes;
            Blocks += blocks;
        }

        // No part of a sum of numbers that are not negative is larger than the sum.
        _bytes[node] += bytes;
        _blocks[node] += blocks;
    }

    /// <summary>Nodes that can cost something.</summary>
    public int Count => _bytes.Length;

    /// <summary>The cost of one node.</summary>
    public (long Bytes, long Blocks) this[int node] => (_bytes[node], _blocks[node]);

    /// <summary>What costs anything, largest first: by bytes, or by blocks.</summary>
    public NodeCost[] Largest(bool byBlocks)
    {
        var costs = new List<NodeCost>();
        for (var node = 0; node < _blocks.Length; node++)
        {
            if (_blocks[node] != 0 || _bytes[node] != 0)
            {
                costs.Add(new NodeCost(node, _bytes[node], _blocks[node]));
            }
        }

        var nodes = costs.ToArray();
        if (byBlocks)
        {
            nodes.AsSpan().Sort(default(MostBlocksFirst));
        }
        else
        {
            nodes.AsSpan().Sort(default(MostBytesFirst));
        }

        return nodes;
    }

    // Structs, so that the millions of comparisons are no calls through an interface.
    private readonly struct MostBytesFirst : IComparer<NodeCost>
    {
        public int Compare(NodeCost x, NodeCost y) =>
            x.Bytes != y.Bytes ? y.Bytes.CompareTo(x.Bytes)
            : x.Blocks != y.Blocks ? y.Blocks.CompareTo(x.Blocks)
            : x.Node.CompareTo(y.Node);
    }

    private readonly struct MostBlocksFirst : IComparer<NodeCost>
    {
        public int Compare(NodeCost x, NodeCost y) =>
            x.Blocks != y.Blocks ? y.Blocks.CompareTo(x.Blocks)
            : x.Bytes != y.Bytes ? y.Bytes.CompareTo(x.Bytes)
            : x.Node.CompareTo(y.Node);
    }
}
