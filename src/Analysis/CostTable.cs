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

    /// <summary>The cost of one node.</summary>
    public (long Bytes, long Blocks) this[int node] => (_bytes[node], _blocks[node]);

    /// <summary>The nodes that cost anything, largest first: by bytes, or by blocks.</summary>
    public int[] Largest(bool byBlocks)
    {
        var nodes = new List<int>();
        for (var node = 0; node < _blocks.Length; node++)
        {
            if (_blocks[node] != 0 || _bytes[node] != 0)
            {
                nodes.Add(node);
            }
        }

        var (first, second) = byBlocks ? (_blocks, _bytes) : (_bytes, _blocks);
        nodes.Sort((a, b) => (first[b], second[b], a).CompareTo((first[a], second[a], b)));
        return [.. nodes];
    }
}
