namespace NativeHeap.Analysis;

/// <summary>
/// The tree of callers, from the innermost function outwards. It is grown only where a branch is large enough to be shown:
/// all of it would have a node for each frame of each stack.
/// </summary>
/// <param name="tree">The stacks.</param>
/// <param name="byBlocks">Whether branches are weighed by blocks; else by bytes.</param>
/// <param name="leastShare">Branches with a smaller part of the whole are left out: 0 to 1.</param>
/// <param name="mostDepth">Where a branch ends.</param>
internal sealed class CallerTree(FrameTree tree, bool byBlocks, double leastShare, int mostDepth)
{
    private double _least;

    /// <summary>A stack on its way outwards, and what it costs.</summary>
    public readonly record struct Leaf(int Node, long Bytes, long Blocks);

    /// <summary>The tree of these stacks.</summary>
    public CallTreeNode Grow(List<Leaf> leaves)
    {
        _least = leaves.Sum(Weight) * leastShare;
        return Branch("", leaves, 0);
    }

    private long Weight(Leaf leaf) => byBlocks ? leaf.Blocks : leaf.Bytes;

    private CallTreeNode Branch(string name, List<Leaf> leaves, int depth) => new(
        name,
        leaves.Sum(leaf => leaf.Bytes),
        leaves.Sum(leaf => leaf.Blocks),
        depth == mostDepth ? [] : Callers(leaves, depth));

    private List<CallTreeNode> Callers(List<Leaf> leaves, int depth)
    {
        var groups = new Dictionary<int, List<Leaf>>();
        foreach (var leaf in leaves)
        {
            if (leaf.Node != 0)
            {
                var frame = tree.FrameOf(leaf.Node);
                if (!groups.TryGetValue(frame, out var group))
                {
                    groups.Add(frame, group = []);
                }

                group.Add(leaf with { Node = tree.Parent(leaf.Node) });
            }
        }

        return
        [
            .. groups
                .Select(group => (Frame: group.Key, Leaves: group.Value, Weight: group.Value.Sum(Weight)))
                .Where(group => group.Weight > 0 && group.Weight >= _least)
                .OrderByDescending(group => group.Weight).ThenBy(group => group.Frame)
                .Select(group => Branch(FrameNaming.Show(tree.FrameAt(group.Frame)), group.Leaves, depth + 1)),
        ];
    }
}
