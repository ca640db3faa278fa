using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>What is compared, and how.</summary>
public sealed record DiffQuestion
{
    /// <summary>The earlier state: a snapshot's name or number, <c>peak</c>, <c>end</c>; null: the end.</summary>
    public string? Before { get; init; }

    /// <summary>The later state, likewise.</summary>
    public string? After { get; init; }

    /// <summary>What is compared; null: live, or what the states ask for.</summary>
    public StackMeasure? By { get; init; }

    /// <summary>What changes are added up by.</summary>
    public CostGroup Group { get; init; }

    /// <summary>Of memory that the programs have mapped themselves, not of the heap.</summary>
    public bool OfMappings { get; init; }

    /// <summary>The most changes to give; null: all.</summary>
    public int? Top { get; init; }
}

/// <summary>What something cost before and after.</summary>
/// <param name="BytesBefore">Requested bytes.</param>
/// <param name="BytesAfter">Requested bytes.</param>
/// <param name="BlocksBefore">Blocks.</param>
/// <param name="BlocksAfter">Blocks.</param>
public readonly record struct CostChange(long BytesBefore, long BytesAfter, long BlocksBefore, long BlocksAfter)
{
    /// <summary>Growth; negative when it shrank.</summary>
    public long DeltaBytes => BytesAfter - BytesBefore;

    /// <summary>Growth in blocks.</summary>
    public long DeltaBlocks => BlocksAfter - BlocksBefore;

    /// <summary>Whether anything changed.</summary>
    public bool IsChange => DeltaBytes != 0 || DeltaBlocks != 0;

    internal CostChange Plus(CostChange other) => checked(new CostChange(
        BytesBefore + other.BytesBefore,
        BytesAfter + other.BytesAfter,
        BlocksBefore + other.BlocksBefore,
        BlocksAfter + other.BlocksAfter));
}

/// <summary>One thing that changed: a stack, or a function, module or type by name.</summary>
/// <param name="Stack">The stack; null for what has a name.</param>
/// <param name="Name">Its name; null for a stack.</param>
/// <param name="Change">How.</param>
public sealed record DiffItem(CallStack? Stack, string? Name, CostChange Change);

/// <summary>The answer to a <see cref="DiffQuestion"/>.</summary>
public sealed record DiffAnswer
{
    /// <summary>What was compared.</summary>
    public required StackMeasure By { get; init; }

    /// <summary>Of mappings, not of the heap: blocks are mappings.</summary>
    public bool OfMappings { get; init; }

    /// <summary>What changes were added up by.</summary>
    public required CostGroup Group { get; init; }

    /// <summary>What changed, largest growth first and largest decrease last; no more than were asked for.</summary>
    public required IReadOnlyList<DiffItem> Items { get; init; }

    /// <summary>How many changed, before any limit.</summary>
    public required int ChangeCount { get; init; }

    /// <summary>All together, those that did not change too.</summary>
    public required CostChange Sum { get; init; }

    /// <summary>File names of modules that are in both, but not the same build: their stacks were compared by function,
    /// without lines.</summary>
    public required IReadOnlyList<string> Rebuilt { get; init; }
}

/// <summary>Compares two traces, or two states of one.</summary>
public static class HeapDiff
{
    /// <summary>Compares.</summary>
    /// <param name="before">The earlier trace.</param>
    /// <param name="after">The later one; may be the same object.</param>
    /// <param name="question">What is asked.</param>
    /// <exception cref="ToolException">A trace cannot be read (4) or the question makes no sense (2).</exception>
    public static DiffAnswer Compare(Profile before, Profile after, DiffQuestion question)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(question);
        if (question.Group == CostGroup.Type)
        {
            return CompareTypes(before, after, question);
        }

        var asked = new StackQuestion { By = question.By, OfMappings = question.OfMappings };
        var first = before.Select(asked with { Moment = question.Before });
        var second = after.Select(asked with { Moment = question.After });
        var isOne = ReferenceEquals(before, after); // two states of one trace have one tree
        var rebuilt = isOne ? [] : RebuiltModules(before.Tree.Frames, after.Tree.Frames);
        var tree = isOne ? before.Tree.Frames : new FrameTree(frame => FrameKey.BetweenTraces(frame, rebuilt));
        var beforeNodes = isOne ? null : tree.Join(before.Tree.Frames);
        var afterNodes = isOne ? null : tree.Join(after.Tree.Frames);
        var changes = new CostChange[tree.Count];
        Add(changes, beforeNodes, first.Costs, (bytes, blocks) => new CostChange(bytes, 0, blocks, 0));
        Add(changes, afterNodes, second.Costs, (bytes, blocks) => new CostChange(0, bytes, 0, blocks));
        var items = question.Group == CostGroup.Stack ? Stacks(tree, changes) : Names(tree, changes, question.Group);
        return new DiffAnswer
        {
            By = second.Answer.By,
            OfMappings = question.OfMappings,
            Group = question.Group,
            Items = Largest(items, question.Top),
            ChangeCount = items.Count,
            Sum = new CostChange(first.Costs.Bytes, second.Costs.Bytes, first.Costs.Blocks, second.Costs.Blocks),
            Rebuilt = [.. rebuilt.Order(StringComparer.Ordinal)],
        };
    }

    private static DiffAnswer CompareTypes(Profile before, Profile after, DiffQuestion question)
    {
        if (question.OfMappings)
        {
            throw new ToolException("mappings have no types, so --group type does not go with --mmap", ExitCodes.Usage);
        }

        if (question.By is not (null or StackMeasure.Live))
        {
            throw new ToolException("types are counted of what is live, so --group type goes with --by live alone", ExitCodes.Usage);
        }

        var (first, second) = (before.TypesAt(question.Before), after.TypesAt(question.After));
        var types = first.Concat(second).Select(type => (type.Type, type.Kind)).Distinct().ToDictionary(key => key, _ => default(CostChange));
        Add(first, (bytes, count) => new CostChange(bytes, 0, count, 0));
        Add(second, (bytes, count) => new CostChange(0, bytes, 0, count));
        var items = types.Where(type => type.Value.IsChange)
            .OrderBy(type => type.Key)
            .Select(type => (type.Value, (Func<DiffItem>)(() => new DiffItem(null, type.Key.Type, type.Value)))).ToList();
        return new DiffAnswer
        {
            By = StackMeasure.Live,
            Group = CostGroup.Type,
            Items = Largest(items, question.Top),
            ChangeCount = items.Count,
            Sum = types.Values.Aggregate(default(CostChange), (sum, change) => sum.Plus(change)),
            Rebuilt = [],
        };

        void Add(IEnumerable<TypeCount> counts, Func<long, long, CostChange> change)
        {
            foreach (var type in counts)
            {
                types[(type.Type, type.Kind)] = types[(type.Type, type.Kind)].Plus(change(type.Bytes, type.Count));
            }
        }
    }

    private static HashSet<string> RebuiltModules(FrameTree before, FrameTree after)
    {
        var known = Modules(before);
        return [.. Modules(after)
            .Where(module => known.TryGetValue(module.Key, out var id) && !id.SetEquals(module.Value))
            .Select(module => module.Key)];
    }

    private static Dictionary<string, HashSet<string>> Modules(FrameTree tree)
    {
        var modules = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        for (var i = 0; i < tree.FrameCount; i++)
        {
            if (tree.FrameAt(i).Location.Module is { BuildId: { } id } module)
            {
                var name = Path.GetFileName(module.Path);
                if (!modules.TryGetValue(name, out var ids))
                {
                    modules.Add(name, ids = new HashSet<string>(StringComparer.Ordinal));
                }

                ids.Add(id);
            }
        }

        return modules;
    }

    /// <param name="changes">By node of the joined tree.</param>
    /// <param name="nodes">What a node became there; null: it is the same tree.</param>
    /// <param name="costs">By node of the trace's own.</param>
    /// <param name="change">A cost as a change.</param>
    private static void Add(
        CostChange[] changes, int[]? nodes, CostTable costs, Func<long, long, CostChange> change)
    {
        for (var node = 0; node < costs.Count; node++)
        {
            var (bytes, blocks) = costs[node];
            if (bytes != 0 || blocks != 0)
            {
                ref var sum = ref changes[nodes?[node] ?? node];
                sum = sum.Plus(change(bytes, blocks));
            }
        }
    }

    private static List<(CostChange Change, Func<DiffItem> Make)> Stacks(FrameTree tree, CostChange[] changes)
    {
        var items = new List<(CostChange, Func<DiffItem>)>();
        for (var node = 0; node < changes.Length; node++)
        {
            var (at, change) = (node, changes[node]);
            if (change.IsChange)
            {
                items.Add((change, () => new DiffItem(tree.StackOf(at), null, change)));
            }
        }

        return items;
    }

    private static List<(CostChange Change, Func<DiffItem> Make)> Names(
        FrameTree tree, CostChange[] changes, CostGroup group)
    {
        var names = new FrameNames<string>(
            tree, group == CostGroup.Module ? FrameNaming.TryModule : FrameNaming.TryFunction);
        var sums = new CostChange[names.Count];
        for (var node = 1; node < changes.Length; node++)
        {
            if (changes[node] != default)
            {
                names.ForEachOnStack(node, name => sums[name] = sums[name].Plus(changes[node]));
            }
        }

        return [.. sums
            .Select((change, name) => (change, (Func<DiffItem>)(() => new DiffItem(null, names[name], change))))
            .Where(item => item.change.IsChange)];
    }

    private static DiffItem[] Largest(List<(CostChange Change, Func<DiffItem> Make)> items, int? top) =>
    [
        .. items
            .OrderByDescending(item => item.Change.DeltaBytes)
            .ThenByDescending(item => item.Change.DeltaBlocks)
            .Take(top ?? int.MaxValue)
            .Select(item => item.Make()),
    ];
}
