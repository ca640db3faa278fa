using NativeHeap.Analysis.Suppressions;
using NativeHeap.Graph;
using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Groups what a check found by kind and stack. For one check.</summary>
internal sealed class LeakCheckBuilder
{
    private const int MostCycleMembers = 1000;

    private readonly LeakGraph _graph;
    private readonly MergedTree _tree;
    private readonly LeakSuppressions _suppressions;
    private readonly LinkageNames _linkage;
    private readonly HashSet<(ulong Address, ulong Bytes, int Stack)>? _known;
    private readonly Dictionary<(LeakKind Kind, int Node), Group> _groups = [];
    private readonly SortedDictionary<int, LeakSum> _uses = []; // by suppression

    public LeakCheckBuilder(
        LeakGraph graph,
        MergedTree tree,
        LeakSuppressions suppressions,
        LinkageNames linkage,
        HashSet<(ulong Address, ulong Bytes, int Stack)>? known)
    {
        _graph = graph;
        _tree = tree;
        _suppressions = suppressions;
        _linkage = linkage;
        _known = known;
    }

    public LeakCheck Build(ProcessInfo process, LeakCheckRow row)
    {
        var whole = LeakClasses.Of(_graph);
        var matcher = new SuppressionMatcher(_suppressions, Sums(whole), StackOf, _linkage);
        var classes = LeakClasses.Of(_graph, block => matcher[Node(_graph.Blocks[block].Stack), whole.KindOf(block)]);
        AddBlocks(classes);
        AddHeld(_graph.Reachable, LeakKind.Reachable, matcher);
        AddHeld(_graph.NotFreed, KindOfNotFreed, matcher);
        var leaks = _groups
            .OrderByDescending(group => group.Value.Own.Bytes + group.Value.Indirect.Bytes)
            .ThenBy(group => group.Key.Kind).ThenBy(group => group.Value.Address)
            .Select((group, i) => group.Value.ToLeak(i + 1, group.Key.Kind, StackOf(group.Key.Node)))
            .ToList();
        return new LeakCheck
        {
            Process = process,
            Number = row.Number,
            Level = row.Level,
            HeldNs = row.HeldNs,
            IsComplete = row.IsComplete,
            Notes = [.. _graph.Notes, .. _suppressions.Notes, .. matcher.Notes],
            Summary = Enum.GetValues<LeakKind>().ToDictionary(
                kind => kind,
                kind => leaks.Where(leak => leak.Kind == kind).Aggregate(default(LeakSum), (sum, leak) => sum + leak.Own)),
            Suppressed = _uses.Values.Aggregate(default(LeakSum), (sum, use) => sum + use),
            Leaks = leaks,
            SuppressionsUsed = [.. _uses.Select(use => new SuppressionUse(_suppressions.Entries[use.Key], use.Value))],
        };
    }

    private LeakKind KindOfNotFreed => _graph.NotFreedIsLeaked ? LeakKind.Definite : LeakKind.Possible;

    // By node of the tree and kind: what there is to be suppressed.
    private Dictionary<(int Node, LeakKind Kind), LeakSum> Sums(LeakClasses classes)
    {
        var sums = new Dictionary<(int Node, LeakKind Kind), LeakSum>();
        void Add(int stack, LeakKind kind, LeakSum sum)
        {
            var key = (Node(stack), kind);
            sums[key] = sums.GetValueOrDefault(key) + sum;
        }

        for (var i = 0; i < _graph.Blocks.Count; i++)
        {
            Add(_graph.Blocks[i].Stack, classes.KindOf(i), new LeakSum((long)_graph.Blocks[i].Bytes, 1));
        }

        foreach (var held in _graph.Reachable)
        {
            Add(held.Stack, LeakKind.Reachable, new LeakSum(held.Bytes, held.Blocks));
        }

        foreach (var held in _graph.NotFreed)
        {
            Add(held.Stack, KindOfNotFreed, new LeakSum(held.Bytes, held.Blocks));
        }

        return sums;
    }

    private void AddBlocks(LeakClasses classes)
    {
        for (var i = 0; i < _graph.Blocks.Count; i++)
        {
            var block = _graph.Blocks[i];
            var sum = new LeakSum((long)block.Bytes, 1);
            if (classes.SuppressionOf(i) is { } suppression)
            {
                Suppress(suppression, sum);
            }
            else if (_known?.Contains((block.Address, block.Bytes, block.Stack)) != true)
            {
                Add(classes.KindOf(i), block.Stack, sum, block.Address, block.Type).PointedFrom ??= block.PointedFrom;
            }
        }

        foreach (var leader in classes.Leaders)
        {
            var block = _graph.Blocks[leader.Block];
            if (_groups.TryGetValue((LeakKind.Definite, Node(block.Stack)), out var group))
            {
                group.Indirect += new LeakSum(leader.Bytes, leader.Blocks);
                if (leader.Cycle.Count > 0 && group.Cycle.Count == 0)
                {
                    group.Cycle = [.. leader.Cycle.Take(MostCycleMembers).Select(place => _graph.Blocks[place].Address)];
                    group.Address = block.Address;
                }
            }
        }
    }

    private void AddHeld(IReadOnlyList<HeldBlocks> all, LeakKind kind, SuppressionMatcher matcher)
    {
        foreach (var held in all)
        {
            var sum = new LeakSum(held.Bytes, held.Blocks);
            if (matcher[Node(held.Stack), kind] is { } suppression)
            {
                Suppress(suppression, sum);
            }
            else
            {
                Add(kind, held.Stack, sum, held.Address, held.Type);
            }
        }
    }

    private void Suppress(int suppression, LeakSum sum) =>
        _uses[suppression] = _uses.GetValueOrDefault(suppression) + sum;

    private Group Add(LeakKind kind, int stack, LeakSum sum, ulong address, string? type)
    {
        var key = (kind, Node(stack));
        if (!_groups.TryGetValue(key, out var group))
        {
            _groups.Add(key, group = new Group { Address = address, Type = type });
        }

        group.Own += sum;
        group.Type = group.Type == type ? type : null;
        return group;
    }

    // Without the shim's own frame: at the exit level normal it stands between main and its caller.
    private CallStack StackOf(int node)
    {
        var stack = _tree.StackOf(node);
        return stack with
        {
            Frames = [.. stack.Frames.Where(frame => frame.Location.Module is not { } module
                || !module.Path.EndsWith("/libnativeheap.so", StringComparison.Ordinal))],
        };
    }

    private int Node(int stack) => stack == 0 ? 0 : _tree.NodeOf(new StackId(stack));

    private sealed class Group
    {
        public LeakSum Own { get; set; }

        public LeakSum Indirect { get; set; }

        public ulong Address { get; set; }

        public ulong? PointedFrom { get; set; }

        public string? Type { get; set; }

        public IReadOnlyList<ulong> Cycle { get; set; } = [];

        public Leak ToLeak(int id, LeakKind kind, CallStack stack) =>
            new(id, kind, Own, Indirect, Address, PointedFrom, Cycle, stack) { Type = Type };
    }
}
