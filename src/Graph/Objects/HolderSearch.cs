using System.Globalization;
using NativeHeap.Managed.Heaps;

namespace NativeHeap.Graph.Objects;

/// <summary>A node of a chain.</summary>
/// <param name="Address">Where it is.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Type">Null for a native block of which nothing tells it.</param>
/// <param name="Via">The field, element or offset in the node before it that leads here; null for the first.</param>
/// <param name="Stack">The stack that allocated it; negative: unknown.</param>
/// <param name="IsInCycle">Whether the target leads back to it.</param>
public sealed record ChainLink(ulong Address, long Bytes, string? Type, string? Via, int Stack, bool IsInCycle);

/// <summary>A way from a root to the target.</summary>
/// <param name="RootKind">What the root is.</param>
/// <param name="RootName">What a person calls it.</param>
/// <param name="Links">From the node that hangs from the root to the target.</param>
public sealed record HolderChain(GraphRootKind RootKind, string RootName, IReadOnlyList<ChainLink> Links);

/// <summary>Who holds an object or a block.</summary>
/// <param name="Target">It.</param>
/// <param name="Chains">Ways to it; those from roots that a person can name before others, then the shortest first.</param>
/// <param name="DeadHolders">What points to it and is itself held by nobody; looked for when nobody else holds it.</param>
public sealed record HolderAnswer(
    ChainLink Target, IReadOnlyList<HolderChain> Chains, IReadOnlyList<ChainLink> DeadHolders)
{
    /// <summary>Whether its holders were looked for; else no chains say nothing.</summary>
    public bool IsKnown { get; init; } = true;
}

/// <summary>Answers who holds what in a picture that was taken with its roots. For one thread.</summary>
public sealed class HolderSearch : IDisposable
{
    private const int MostRounds = 16; // of looking for holders of holders
    private const int MostDeadHolders = 16;
    private const int MostHolders = 1 << 14; // of a round, the nearest to a root: everybody may hold the target

    private readonly HeapPicture _picture;
    private readonly TypeStatistics _types;
    private readonly RootFinder _finder;
    private readonly ILookup<uint, GraphRoot> _roots;

    /// <summary>Searches the whole graph.</summary>
    /// <param name="picture">Taken with roots; stays the caller's.</param>
    /// <param name="types">Of the picture; stays the caller's.</param>
    public HolderSearch(HeapPicture picture, TypeStatistics types)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentNullException.ThrowIfNull(types);
        _picture = picture;
        _types = types;
        Graph = new HeapGraph(picture);
        _finder = new RootFinder(picture, types);
        var roots = _finder.Find(Graph);
        foreach (var round in roots.GroupBy(root => root.Kind.Round()))
        {
            Graph.Search(round);
        }

        _roots = roots.ToLookup(root => root.Node);
    }

    /// <summary>The graph.</summary>
    public HeapGraph Graph { get; }

    /// <summary>Finds ways to a node.</summary>
    /// <param name="node">An object or a block.</param>
    /// <param name="most">At most so many chains, from 1.</param>
    public HolderAnswer Find(uint node, int most)
    {
        var target = Link(node, null);
        var paths = Graph.IsReached(node) ? Paths(node, most) : [];
        var chains = paths.Select(path => Chain(path.Root, path.Nodes))
            .OrderBy(chain => chain.RootKind.Round()).ThenBy(chain => chain.Links.Count).ThenBy(chain => chain.RootKind)
            .Take(most).ToList();
        return new HolderAnswer(target, chains, chains.Count > 0 ? [] : DeadHolders(node));
    }

    /// <inheritdoc/>
    public void Dispose() => Graph.Dispose();

    // The nearest way is known from the search. Others end in another holder: of the target, then of its holders, and so on;
    // each continues with the way that is known to that holder.
    private List<(GraphRoot Root, List<uint> Nodes)> Paths(uint target, int most)
    {
        var nearest = Graph.ChainTo(target);
        var found = new List<(GraphRoot, List<uint>)> { (Graph.RootOf(nearest[0]), [.. nearest]) };
        // Every object with a finalizer is on the runtime's list of those; that says something of dead ones alone.
        var worst = Math.Max(found[0].Item1.Kind.Round(), GraphRootKind.FinalizerQueue.Round());
        var tails = new Dictionary<uint, List<uint>> { [target] = [target] };
        var seen = new HashSet<uint> { target };
        for (var round = 0; round < MostRounds && found.Count < most && tails.Count > 0; round++)
        {
            foreach (var (node, tail) in tails)
            {
                found.AddRange(_roots[node].Where(root => root.Kind.Round() <= worst && !found.Any(known => known.Item1 == root))
                    .Take(most - found.Count).Select(root => (root, tail)));
            }

            if (found.Count >= most)
            {
                break;
            }

            var next = new Dictionary<uint, List<uint>>();
            foreach (var (holder, held) in NearestHolders(tails).TakeWhile(_ => found.Count < most))
            {
                var tail = tails[held];
                List<uint> whole = [holder, .. tail];
                var path = Graph.ChainTo(holder);
                if (!path.Any(tail.Contains) && !found.Any(known => known.Item2.Count > 1
                    && known.Item2[^Math.Min(known.Item2.Count, whole.Count)..].SequenceEqual(whole)))
                {
                    found.Add((Graph.RootOf(path[0]), [.. path, .. tail]));
                }

                if (seen.Add(holder))
                {
                    next[holder] = whole;
                }
            }

            tails = next;
        }

        return found;
    }

    // Without those that are in a tail already: they would close a cycle.
    private List<(uint Holder, uint Held)> NearestHolders(Dictionary<uint, List<uint>> tails) =>
    [
        .. Graph.HoldersOf(tails.Keys.ToHashSet(), isReached: true).Where(pair => !tails[pair.Held].Contains(pair.Holder))
            .OrderBy(pair => Graph.DepthOf(pair.Holder)).Take(MostHolders),
    ];

    private HolderChain Chain(GraphRoot root, List<uint> nodes)
    {
        var cycle = CycleOf(nodes);
        var links = nodes.Select((node, i) => Link(node, i == 0 ? null : nodes[i - 1]) with { IsInCycle = cycle.Contains(node) });
        return new HolderChain(root.Kind, _finder.NameOf(root), [.. links]);
    }

    // The target has a pointer to a node before it: from there on the chain is a cycle.
    private HashSet<uint> CycleOf(List<uint> nodes)
    {
        var back = Graph.EdgesTo(nodes[^1], nodes.ToHashSet()).Select(edge => nodes.IndexOf(edge.Target))
            .Where(place => place >= 0 && place < nodes.Count - 1).ToList();
        return back.Count == 0 ? [] : [.. nodes[back.Min()..]];
    }

    private List<ChainLink> DeadHolders(uint node)
    {
        var holders = Graph.HoldersOf(new HashSet<uint> { node }, isReached: false);
        return [.. holders.Take(MostDeadHolders).Select(pair => Link(pair.Holder, null))];
    }

    private ChainLink Link(uint node, uint? from)
    {
        var via = from is { } holder ? Via(holder, node) : null;
        var type = _types.TypeOf(Graph, node);
        if (Graph.IsBlock(node, out var place))
        {
            var block = _picture.Blocks[place];
            return new ChainLink(block.Address, (long)block.Bytes, type, via, block.Stack, false);
        }

        return new ChainLink(_picture.Heap!.Copy.AddressOf(node), _picture.Heap.SizeOf(node), type, via, -1, false);
    }

    private string? Via(uint holder, uint node)
    {
        var edges = Graph.EdgesTo(holder, new HashSet<uint> { node });
        if (edges.Count == 0)
        {
            return null;
        }

        var offset = edges[0].Offset;
        return offset == HeapGraph.NoOffset ? "dependent handle"
            : Graph.IsBlock(holder, out _) ? string.Create(CultureInfo.InvariantCulture, $"+0x{offset:x}")
            : FieldPath.Of(_picture.Heap!.TypeOf(holder), offset);
    }
}
