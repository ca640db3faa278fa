using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>
/// A trace that is asked questions. Methods throw <see cref="TraceException"/> (exit code 4) for a trace that cannot be
/// read and <see cref="ToolException"/> (exit code 2) for a question that makes no sense for it. Not for several threads.
/// </summary>
public sealed class Profile : IDisposable
{
    private readonly TraceReader _trace;
    private readonly Func<ISymbolizer> _symbolizer;
    private MergedTree? _tree;

    private Profile(TraceReader trace, Func<ISymbolizer> symbolizer)
    {
        _trace = trace;
        _symbolizer = symbolizer;
    }

    /// <summary>What the trace says about itself.</summary>
    public TraceInfo Info => _trace.Info;

    /// <summary>The file, as the user named it.</summary>
    public string Path => _trace.Path;

    /// <summary>Its process images; the first is the one that was started.</summary>
    public IReadOnlyList<ProcessInfo> Processes => _trace.Processes;

    /// <summary>
    /// Where the resident memory of the process that was started was at the last look, whatever it had executed by
    /// then; null when nobody looked.
    /// </summary>
    public Ledger? Ledger => FindLedger();

    /// <summary>The snapshots, by number.</summary>
    public IReadOnlyList<Snapshot> Snapshots => _trace.Snapshots();

    /// <summary>Remarks on names that were found just now, one line each; complete once stacks were asked for.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>The stacks, equal ones joined.</summary>
    internal MergedTree Tree => _tree ??= new MergedTree(_trace.Stacks, _trace.Locations, Names());

    /// <summary>Opens a trace.</summary>
    /// <param name="path">The file.</param>
    /// <param name="symbolizer">
    /// Makes what finds names when the trace was not closed and so holds none; null: a <see cref="NativeSymbolizer"/>.
    /// </param>
    public static Profile Open(string path, Func<ISymbolizer>? symbolizer = null) =>
        new(TraceReader.Open(path), symbolizer ?? (() => new NativeSymbolizer()));

    /// <summary>What was allocated, over all processes or those of one pid.</summary>
    public Totals Totals(int? pid = null) => Checked(() => TotalsSum.Of(_trace, new ProcessSelection(_trace, pid)));

    /// <summary>The stacks and what they cost.</summary>
    public StackAnswer Ask(StackQuestion question) => Checked(() => Answer(question));

    /// <summary>What every stack allocated ever, and what of it was alive at the end. Made as they are enumerated.</summary>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    public IReadOnlyList<StackUsage> Usage(int? pid = null)
    {
        var ever = Select(new StackQuestion { By = StackMeasure.Allocated, Pid = pid }).Costs;
        var live = Select(new StackQuestion { By = StackMeasure.Live, Pid = pid }).Costs;
        var nodes = ever.Largest(byBlocks: false);
        return new LazyList<StackUsage>(nodes.Length, i =>
        {
            var ((allocatedBytes, allocations), (liveBytes, liveBlocks)) = (ever[nodes[i]], live[nodes[i]]);
            return new StackUsage(Tree.StackOf(nodes[i]), allocatedBytes, allocations, liveBytes, liveBlocks);
        });
    }

    /// <summary>How the heap grew.</summary>
    public HeapTimeline Timeline(TimelineQuestion question)
    {
        return Checked(() =>
        {
            var processes = new ProcessSelection(_trace, question.Pid);
            return new TimelineBuilder(_trace, Tree, processes, question)
                .Build(TotalsSum.Of(_trace, processes).Peak);
        });
    }

    /// <summary>Blocks and bytes by power of two (<see cref="HistogramRow.Bucket"/>), over all stacks.</summary>
    public IReadOnlyList<HistogramBar> Histogram(HistogramKind kind, int? pid = null)
    {
        return Checked(() =>
        {
            var processes = new ProcessSelection(_trace, pid);
            var bars = new CostTable(65);
            foreach (var row in _trace.Histogram(kind).Where(row => processes.Contains(row.Process)))
            {
                bars.Add(row.Bucket, row.Bytes, row.Blocks);
            }

            return (IReadOnlyList<HistogramBar>)[
                .. Enumerable.Range(0, 65).Select(b => new HistogramBar(b, bars[b].Bytes, bars[b].Blocks))];
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _trace.Dispose();

    private Ledger? FindLedger()
    {
        var successors = ProcessImages.Successors(Processes);
        Ledger? last = null;
        for (var image = Processes[0]; image is not null; image = successors[image.Id.Value - 1])
        {
            last = _trace.LastLedger(image.Id) ?? last;
        }

        return last;
    }

    /// <summary>The costs of a question by node of <see cref="Tree"/>, and the answer but for its stacks.</summary>
    internal (StackAnswer Answer, CostTable Costs) Select(StackQuestion question) => Checked(() => Weigh(question));

    private StackAnswer Answer(StackQuestion question)
    {
        var (answer, costs) = Weigh(question);
        return Finish(answer, costs, question.Top);
    }

    private (StackAnswer Answer, CostTable Costs) Weigh(StackQuestion question)
    {
        var measure = question.Measure();
        var processes = new ProcessSelection(_trace, question.Pid);
        var snapshot = FindSnapshot(question);
        var answer = new StackAnswer
        {
            By = measure,
            Stacks = [],
            StackCount = 0,
            Bytes = 0,
            Blocks = 0,
            Snapshot = snapshot,
        };
        var selector = new CostSelector(_trace, Tree, processes);
        if (snapshot is not null)
        {
            selector.AddSnapshot(snapshot);
            answer = answer with { AtNs = snapshot.TimeNs };
        }
        else if (question.AtNs is not null || question.HasRange)
        {
            answer = AddRange(question, measure, selector, new BucketEdges(_trace, processes.EndNs(_trace)), answer);
        }
        else
        {
            selector.AddTotals(measure);
        }

        return (answer with { Bytes = selector.Costs.Bytes, Blocks = selector.Costs.Blocks }, selector.Costs);
    }

    private static StackAnswer AddRange(
        StackQuestion question, StackMeasure measure, CostSelector selector, BucketEdges edges, StackAnswer answer)
    {
        if (question.AtNs is { } at)
        {
            var edge = edges.Nearest("--at", at);
            selector.AddCohorts(measure, 0, edge, edges);
            return answer with { AtNs = edges.TimeOf(edge), BucketNs = edges.WidthNs };
        }

        var from = question.FromNs is { } start ? edges.Below("--from", start) : 0;
        var to = question.ToNs is { } end ? edges.Above(end) : null;
        selector.AddCohorts(measure, from, to, edges);
        return answer with
        {
            AtNs = to is { } last && measure == StackMeasure.Live ? edges.TimeOf(last) : null,
            FromNs = edges.TimeOf(from),
            ToNs = to is { } edgeTo ? edges.TimeOf(edgeTo) : null,
            BucketNs = edges.WidthNs,
        };
    }

    private StackAnswer Finish(StackAnswer answer, CostTable costs, int? top)
    {
        var nodes = costs.Largest(answer.By == StackMeasure.Count);
        var tree = Tree;
        return answer with
        {
            StackCount = nodes.Length,
            Stacks = new LazyList<StackCost>(
                Math.Min(nodes.Length, top ?? nodes.Length),
                i => new StackCost(tree.StackOf(nodes[i]), costs[nodes[i]].Bytes, costs[nodes[i]].Blocks)),
        };
    }

    private Snapshot? FindSnapshot(StackQuestion question)
    {
        if (question.Moment is null or TraceReference.Peak or TraceReference.End)
        {
            return null;
        }

        var number = new TraceReference(Path, question.Moment).SnapshotNumber;
        var snapshots = Snapshots;
        return snapshots.FirstOrDefault(s => number is null ? s.Name == question.Moment : s.Number == number)
            ?? throw new ToolException(
                $"{Path} has no snapshot {question.Moment}"
                + (snapshots.Count == 0 ? " (it has none)" : $"; it has {string.Join(", ", snapshots.Take(8).Select(Word))}"),
                ExitCodes.Input);
    }

    private static string Word(Snapshot snapshot) => "@" + (snapshot.Name ?? $"{snapshot.Number}");

    /// <summary>The names of all locations, by id less 1: the trace's, or found now when it was not closed.</summary>
    private IReadOnlyList<ResolvedFrame>[] Names()
    {
        var locations = _trace.Locations;
        var names = new IReadOnlyList<ResolvedFrame>[locations.Count];
        var nameless = new List<int>();
        for (var i = 0; i < names.Length; i++)
        {
            var id = new LocationId(i + 1);
            names[i] = locations.Names(id);
            if (names[i].Count == 0 && locations[id] is { Kind: FrameKind.Native, Module: not null })
            {
                nameless.Add(i);
            }
        }

        if (!Info.Closed && nameless.Count > 0)
        {
            using var symbolizer = _symbolizer();
            var found = symbolizer.Resolve([.. nameless.Select(i => locations[new LocationId(i + 1)])]);
            Notes = [.. symbolizer.Notes];
            for (var i = 0; i < nameless.Count; i++)
            {
                names[nameless[i]] = found[i];
            }
        }

        return names;
    }

    private T Checked<T>(Func<T> compute)
    {
        try
        {
            return compute();
        }
        catch (OverflowException e)
        {
            throw new TraceException(Path, "damaged (its figures add up to more than can be)", e);
        }
    }
}

/// <summary>One power of two of a histogram.</summary>
/// <param name="Bucket">Bit length of the value counted by.</param>
/// <param name="Bytes">Requested bytes.</param>
/// <param name="Blocks">Blocks.</param>
public readonly record struct HistogramBar(int Bucket, long Bytes, long Blocks);

/// <summary>What a stack allocated and kept.</summary>
/// <param name="Stack">The stack.</param>
/// <param name="AllocatedBytes">Allocated ever.</param>
/// <param name="Allocations">Allocated ever, in blocks.</param>
/// <param name="LiveBytes">Alive at the end.</param>
/// <param name="LiveBlocks">Alive at the end.</param>
public sealed record StackUsage(
    CallStack Stack, long AllocatedBytes, long Allocations, long LiveBytes, long LiveBlocks);
