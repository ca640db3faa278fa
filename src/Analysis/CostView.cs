using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>A function or a module and what it costs.</summary>
/// <param name="Name">Its name.</param>
/// <param name="SelfBytes">Of stacks whose innermost frame it is: it called the allocation function itself.</param>
/// <param name="SelfBlocks">Likewise.</param>
/// <param name="Bytes">Of all stacks in which it occurs, each once (inclusive).</param>
/// <param name="Blocks">Likewise.</param>
public sealed record NamedCost(string Name, long SelfBytes, long SelfBlocks, long Bytes, long Blocks);

/// <summary>A node of a call tree: a function in a context, with all that its part of the tree costs.</summary>
/// <param name="Name">The function; of code without a name, its module and offset.</param>
/// <param name="Bytes">Inclusive.</param>
/// <param name="Blocks">Inclusive.</param>
/// <param name="Children">Largest first; those below the least share are left out.</param>
public sealed record CallTreeNode(string Name, long Bytes, long Blocks, IReadOnlyList<CallTreeNode> Children);

/// <summary>Other ways to add the answer to a <see cref="StackQuestion"/> up.</summary>
public static class CostView
{
    private const int MostDepth = 200; // of a tree; a deeper one could not be shown, nor walked on every stack

    /// <summary>Costs by function or by module, largest inclusive costs first.</summary>
    /// <param name="profile">The trace.</param>
    /// <param name="question">Which stacks; its limit is that of the names.</param>
    /// <param name="group">Functions or modules.</param>
    /// <returns>How many there are before the limit, and the answer's own words with no stacks.</returns>
    /// <exception cref="ToolException">The trace cannot be read (4) or the question makes no sense (2).</exception>
    public static (StackAnswer Answer, IReadOnlyList<NamedCost> Names, int Count) ByName(
        Profile profile, StackQuestion question, CostGroup group)
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(question);
        var (answer, costs) = profile.Select(question);
        var tree = profile.Tree.Frames;
        var names = new FrameNames<string>(
            tree, group == CostGroup.Module ? FrameNaming.TryModule : FrameNaming.TryFunction);
        var self = new CostTable(names.Count);
        var inclusive = new (long Bytes, long Blocks)[names.Count];
        for (var node = 1; node < tree.Count; node++)
        {
            var (bytes, blocks) = costs[node];
            if (bytes == 0 && blocks == 0)
            {
                continue;
            }

            names.ForEachOnStack(node, name =>
                inclusive[name] = (inclusive[name].Bytes + bytes, inclusive[name].Blocks + blocks));
            if (names.InnermostOf(node) is >= 0 and var innermost)
            {
                self.Add(innermost, bytes, blocks);
            }
        }

        var byBlocks = answer.By == StackMeasure.Count;
        var all = Enumerable.Range(0, names.Count)
            .Where(name => inclusive[name] != default)
            .Select(name => new NamedCost(
                names[name], self[name].Bytes, self[name].Blocks, inclusive[name].Bytes, inclusive[name].Blocks))
            .OrderByDescending(name => byBlocks ? name.Blocks : name.Bytes)
            .ThenByDescending(name => byBlocks ? name.SelfBlocks : name.SelfBytes)
            .ThenBy(name => name.Name, StringComparer.Ordinal)
            .ToList();
        return (answer, all.Take(question.Top ?? int.MaxValue).ToList(), all.Count);
    }

    /// <summary>The call tree from the outermost functions inwards.</summary>
    /// <param name="profile">The trace.</param>
    /// <param name="question">Which stacks; its limit does not count.</param>
    /// <param name="leastShare">Nodes with a smaller part of the whole are left out: 0 to 1.</param>
    /// <exception cref="ToolException">The trace cannot be read (4) or the question makes no sense (2).</exception>
    public static (StackAnswer Answer, CallTreeNode Root) TopDown(
        Profile profile, StackQuestion question, double leastShare)
    {
        var (answer, costs, byFunction, nodes) = Join(profile, question);
        var joined = new CostTable(byFunction.Count);
        for (var node = 1; node < nodes.Length; node++)
        {
            joined.Add(nodes[node], costs[node].Bytes, costs[node].Blocks);
        }

        return (answer, Tree(byFunction, joined, answer.By == StackMeasure.Count, leastShare));
    }

    /// <summary>The tree from the callers of the allocation functions outwards.</summary>
    /// <inheritdoc cref="TopDown"/>
    public static (StackAnswer Answer, CallTreeNode Root) BottomUp(
        Profile profile, StackQuestion question, double leastShare)
    {
        var (answer, costs, byFunction, nodes) = Join(profile, question);
        var leaves = new List<CallerTree.Leaf>();
        for (var node = 1; node < nodes.Length; node++)
        {
            if (costs[node] is var (bytes, blocks) && (bytes != 0 || blocks != 0))
            {
                leaves.Add(new CallerTree.Leaf(nodes[node], bytes, blocks));
            }
        }

        return (answer, new CallerTree(byFunction, answer.By == StackMeasure.Count, leastShare, MostDepth).Grow(leaves));
    }

    private static (StackAnswer Answer, CostTable Costs, FrameTree ByFunction, int[] Nodes) Join(
        Profile profile, StackQuestion question)
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(question);
        var (answer, costs) = profile.Select(question);
        var byFunction = new FrameTree(FrameKey.OfFunction);
        return (answer, costs, byFunction, byFunction.Join(profile.Tree.Frames));
    }

    private static CallTreeNode Tree(FrameTree tree, CostTable own, bool byBlocks, double leastShare)
    {
        var bytes = new long[tree.Count];
        var blocks = new long[tree.Count];
        var children = new List<int>?[tree.Count];
        for (var node = tree.Count - 1; node >= 0; node--)
        {
            bytes[node] += own[node].Bytes;
            blocks[node] += own[node].Blocks;
            if (node != 0)
            {
                bytes[tree.Parent(node)] += bytes[node];
                blocks[tree.Parent(node)] += blocks[node];
            }
        }

        var weights = byBlocks ? blocks : bytes;
        var least = weights[0] * leastShare;
        for (var node = 1; node < tree.Count; node++)
        {
            if (weights[node] >= least && weights[node] > 0)
            {
                (children[tree.Parent(node)] ??= []).Add(node);
            }
        }

        return Build(0, 0);

        CallTreeNode Build(int node, int depth) => new(
            node == 0 ? "" : FrameNaming.Show(tree.FrameAt(tree.FrameOf(node))),
            bytes[node],
            blocks[node],
            depth == MostDepth || children[node] is not { } inner
                ? []
                : [.. inner.OrderByDescending(child => weights[child]).Select(child => Build(child, depth + 1))]);
    }
}
