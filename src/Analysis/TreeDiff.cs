using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>A node of a call tree in two states: a function in a context.</summary>
/// <param name="Name">The function; of code without a name, its module and offset.</param>
/// <param name="Before">Inclusive cost before, in bytes, or in blocks where those are compared.</param>
/// <param name="After">Inclusive cost after.</param>
/// <param name="Width">The larger cost of each stack in it, added up: never less than the children's together.</param>
/// <param name="Children">Widest first; those below the least share are left out.</param>
public sealed record TreeDiffNode(string Name, long Before, long After, long Width, IReadOnlyList<TreeDiffNode> Children);

/// <summary>Two states of a heap as one call tree.</summary>
public static class TreeDiff
{
    private const int MostDepth = 200;

    /// <summary>The tree from the outermost functions inwards.</summary>
    /// <param name="before">The earlier trace.</param>
    /// <param name="after">The later one; may be the same object.</param>
    /// <param name="question">The states and what is compared; its group and limit do not count.</param>
    /// <param name="leastShare">Nodes with a smaller part of the whole are left out: 0 to 1.</param>
    /// <exception cref="ToolException">A trace cannot be read (4) or the question makes no sense (2).</exception>
    public static (StackMeasure By, TreeDiffNode Root) Compare(
        Profile before, Profile after, DiffQuestion question, double leastShare)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(question);
        var first = before.Select(new StackQuestion { By = question.By, Moment = question.Before });
        var second = after.Select(new StackQuestion { By = question.By, Moment = question.After });
        var tree = new FrameTree(FrameKey.OfFunctionBetweenTraces);
        var byBlocks = second.Answer.By == StackMeasure.Count;
        var beforeNodes = tree.Join(before.Tree.Frames);
        var afterNodes = ReferenceEquals(before, after) ? beforeNodes : tree.Join(after.Tree.Frames);
        var sums = new Sums(tree.Count);
        Sums.Add(beforeNodes, first.Costs, byBlocks, sums.Before);
        Sums.Add(afterNodes, second.Costs, byBlocks, sums.After);
        sums.AddUp(tree);
        return (second.Answer.By, sums.Node(tree, leastShare, MostDepth));
    }

    private sealed class Sums(int count)
    {
        private readonly long[] _width = new long[count];

        public long[] Before { get; } = new long[count];

        public long[] After { get; } = new long[count];

        public static void Add(int[] nodes, CostTable costs, bool byBlocks, long[] to)
        {
            for (var node = 1; node < nodes.Length; node++)
            {
                var (bytes, blocks) = costs[node];
                to[nodes[node]] = checked(to[nodes[node]] + (byBlocks ? blocks : bytes));
            }
        }

        public void AddUp(FrameTree tree)
        {
            for (var node = 1; node < count; node++)
            {
                _width[node] = Math.Max(Before[node], After[node]); // of the stacks that end here
            }

            for (var node = count - 1; node > 0; node--)
            {
                foreach (var sums in new[] { Before, After, _width })
                {
                    sums[tree.Parent(node)] = checked(sums[tree.Parent(node)] + sums[node]);
                }
            }
        }

        public TreeDiffNode Node(FrameTree tree, double leastShare, int mostDepth)
        {
            var children = new List<int>?[count];
            var least = _width[0] * leastShare;
            for (var node = 1; node < count; node++)
            {
                if (_width[node] > 0 && _width[node] >= least)
                {
                    (children[tree.Parent(node)] ??= []).Add(node);
                }
            }

            return Build(0, 0);

            TreeDiffNode Build(int node, int depth) => new(
                node == 0 ? "" : FrameNaming.Show(tree.FrameAt(tree.FrameOf(node))),
                Before[node],
                After[node],
                _width[node],
                depth == mostDepth || children[node] is not { } inner
                    ? []
                    : [.. inner.OrderByDescending(child => _width[child]).Select(child => Build(child, depth + 1))]);
        }
    }
}
