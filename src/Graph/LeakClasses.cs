namespace NativeHeap.Graph;

/// <summary>A block that nothing points to, or a ring of blocks, with all that is lost because of it.</summary>
/// <param name="Block">Its place in the graph; of a ring the one with the lowest address.</param>
/// <param name="Bytes">Requested bytes of the other blocks lost with it.</param>
/// <param name="Blocks">How many they are.</param>
/// <param name="Cycle">Places of the blocks of the ring, by rising address; empty when it is none.</param>
public sealed record LeakLeader(int Block, long Bytes, long Blocks, IReadOnlyList<int> Cycle);

/// <summary>Tells the blocks of a graph apart: lost, lost with others, possibly lost, suppressed.</summary>
/// <remarks>Of each group of blocks that nothing outside of it points to, one is called definitely lost and the others
/// indirectly: exactly one per source of the graph of strongly connected components. They are found in two passes. In the
/// order of addresses, whoever is not reached yet is a candidate and takes what it reaches: of every source the first
/// block becomes one, and of whatever it leads to only what comes before it. Backwards through the candidates, the source
/// comes first, and takes those.</remarks>
public sealed class LeakClasses
{
    private const int Nobody = -1;

    private readonly LeakGraph _graph;
    private readonly int[] _leader; // by block: of its group
    private readonly int[] _suppression; // by block: its number; Nobody: it is to be reported
    private readonly bool[] _inCycle;
    private readonly Stack<int> _work = new();

    private LeakClasses(LeakGraph graph)
    {
        _graph = graph;
        _leader = new int[graph.Blocks.Count];
        _suppression = new int[graph.Blocks.Count];
        _inCycle = new bool[graph.Blocks.Count];
        Array.Fill(_leader, Nobody);
        Array.Fill(_suppression, Nobody);
    }

    /// <summary>Groups by rising address of their leaders.</summary>
    public IReadOnlyList<LeakLeader> Leaders { get; private set; } = [];

    /// <summary>Finds the classes.</summary>
    /// <param name="graph">What a check found.</param>
    /// <param name="suppressionOf">By a block's place: the number of the suppression that means it, from 0, or null; all
    /// that hangs off it goes with it. Null: there are none.</param>
    public static LeakClasses Of(LeakGraph graph, Func<int, int?>? suppressionOf = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var classes = new LeakClasses(graph);
        if (suppressionOf is not null)
        {
            classes.Suppress(suppressionOf);
        }

        classes.Lead();
        classes.Collect();
        return classes;
    }

    /// <summary>Whether a block is suppressed, for itself or because of what holds it.</summary>
    public bool IsSuppressed(int block) => _suppression[block] != Nobody;

    /// <summary>The number of the suppression; null when there is none.</summary>
    public int? SuppressionOf(int block) => IsSuppressed(block) ? _suppression[block] : null;

    /// <summary>What a block is.</summary>
    public LeakKind KindOf(int block) => _graph.Blocks[block].IsPossible ? LeakKind.Possible
        : LeaderOf(block) == block ? LeakKind.Definite
        : LeakKind.Indirect;

    /// <summary>The leader of a lost block's group.</summary>
    public int LeaderOf(int block) => _leader[block];

    private bool IsLost(int block) => !_graph.Blocks[block].IsPossible && !IsSuppressed(block);

    // Blocks that are meant themselves come first: none of them counts for another's suppression.
    private void Suppress(Func<int, int?> suppressionOf)
    {
        var meant = new List<int>();
        for (var i = 0; i < _graph.Blocks.Count; i++)
        {
            if (suppressionOf(i) is { } number)
            {
                _suppression[i] = number;
                meant.Add(i);
            }
        }

        foreach (var block in meant)
        {
            _work.Push(block);
            Flood(_suppression[block]);
        }
    }

    private void Flood(int number)
    {
        while (_work.TryPop(out var block))
        {
            foreach (var target in _graph.TargetsOf(block))
            {
                if (!IsSuppressed(target))
                {
                    _suppression[target] = number;
                    _work.Push(target);
                }
            }
        }
    }

    private void Lead()
    {
        var candidates = new List<int>();
        for (var i = 0; i < _graph.Blocks.Count; i++)
        {
            if (_leader[i] == Nobody && IsLost(i))
            {
                candidates.Add(i);
                Lead(i);
            }
        }

        Array.Fill(_leader, Nobody);
        Array.Clear(_inCycle);
        for (var i = candidates.Count - 1; i >= 0; i--)
        {
            if (_leader[candidates[i]] == Nobody)
            {
                Lead(candidates[i]);
            }
        }
    }

    private void Lead(int leader)
    {
        _leader[leader] = leader;
        _work.Push(leader);
        while (_work.TryPop(out var block))
        {
            foreach (var target in _graph.TargetsOf(block).Where(IsLost))
            {
                if (target == leader)
                {
                    _inCycle[leader] |= block != leader;
                }
                else if (_leader[target] == Nobody)
                {
                    _leader[target] = leader;
                    _work.Push(target);
                }
            }
        }
    }

    private void Collect()
    {
        var sums = new Dictionary<int, (long Bytes, long Blocks)>();
        for (var i = 0; i < _leader.Length; i++)
        {
            if (_leader[i] == Nobody)
            {
                continue;
            }

            var leader = LeaderOf(i);
            var (bytes, blocks) = sums.GetValueOrDefault(leader);
            sums[leader] = leader == i ? (bytes, blocks) : (bytes + (long)_graph.Blocks[i].Bytes, blocks + 1);
        }

        Leaders =
        [
            .. sums.OrderBy(sum => sum.Key).Select(sum => new LeakLeader(
                sum.Key, sum.Value.Bytes, sum.Value.Blocks, _inCycle[sum.Key] ? CycleOf(sum.Key) : [])),
        ];
    }

    // Whoever the leader reaches and who reaches the leader.
    private List<int> CycleOf(int leader)
    {
        var seen = new HashSet<int> { leader };
        var sources = new Dictionary<int, List<int>>();
        _work.Push(leader);
        while (_work.TryPop(out var block))
        {
            foreach (var target in _graph.TargetsOf(block).Where(IsLost))
            {
                (sources.TryGetValue(target, out var known) ? known : sources[target] = []).Add(block);
                if (seen.Add(target))
                {
                    _work.Push(target);
                }
            }
        }

        var members = new HashSet<int> { leader };
        _work.Push(leader);
        while (_work.TryPop(out var block))
        {
            foreach (var source in sources.GetValueOrDefault(block, []).Where(members.Add))
            {
                _work.Push(source);
            }
        }

        return [.. members.Order()];
    }
}
