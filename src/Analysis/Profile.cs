using NativeHeap.Analysis.Suppressions;
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
    private readonly ILiveCode? _live;
    private MergedTree? _tree;
    private (StackQuestion Question, StackAnswer Answer, CostTable Costs)? _last;

    private Profile(TraceReader trace, Func<ISymbolizer> symbolizer, ILiveCode? live)
    {
        _live = live;
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
    public Ledger? Ledger => FindLedger()?.Ledger;

    /// <summary>
    /// At least how many bytes of the malloc heap in <see cref="Ledger"/> the program had freed and malloc kept; null when
    /// that is not known.
    /// </summary>
    public long? KeptByMalloc => FindLedger() is { } last
        ? Checked(() => HeapRetention.AtLeast(_trace, last.Process, last.Ledger))
        : null;

    /// <summary>Requested bytes of live blocks that were never touched, at the look of <see cref="Ledger"/>; null: not known.
    /// </summary>
    public long? Untouched => FindLedger() is { } last
        ? Gauges(Processes[0].Pid).Where(gauge => gauge.Name == LedgerGauges.Untouched && gauge.TimeNs == last.Ledger.TimeNs)
            .Select(gauge => (long?)gauge.Bytes).FirstOrDefault()
        : null;

    /// <summary>What .NET's garbage collector did in the process that was started; null: nothing that is known.</summary>
    public GcUse? Collections => GcUse.Of(Gauges(Processes[0].Pid), Pauses(Processes[0].Pid));

    /// <summary>The snapshots, by number.</summary>
    public IReadOnlyList<Snapshot> Snapshots => _trace.Snapshots();

    /// <summary>Remarks on names that were found just now, one line each; complete once stacks were asked for.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>The stacks, equal ones joined.</summary>
    internal MergedTree Tree => _tree ??= new MergedTree(_trace.Stacks, FindNames());

    /// <summary>Opens a trace.</summary>
    /// <param name="path">The file.</param>
    /// <param name="symbolizer">
    /// Makes what finds names when the trace was not closed and so holds none; null: a <see cref="NativeSymbolizer"/>.
    /// </param>
    /// <param name="live">Names code of a process that lives, while the trace is being written; null: nobody does.</param>
    public static Profile Open(string path, Func<ISymbolizer>? symbolizer = null, ILiveCode? live = null) =>
        new(TraceReader.Open(path), symbolizer ?? (() => new NativeSymbolizer()), live);

    /// <summary>What was allocated, over all processes or those of one pid.</summary>
    public Totals Totals(int? pid = null) => Checked(() => TotalsSum.Of(_trace, new ProcessSelection(_trace, pid)));

    /// <summary>What of <see cref="Totals"/> lies in other blocks that are in them, too.</summary>
    public PoolTotals Pools(int? pid = null) => Checked(() => PoolTotals.Of(_trace, new ProcessSelection(_trace, pid)));

    /// <summary>Anonymous memory that the programs have mapped themselves, none of which is in <see cref="Totals"/>; null: that was
    /// not recorded.</summary>
    public MappedTotals? Mapped(int? pid = null) => Checked(() => MappedTotals.Of(_trace, new ProcessSelection(_trace, pid)));

    /// <summary>The stacks and what they cost.</summary>
    public StackAnswer Ask(StackQuestion question) => Checked(() => Answer(question));

    /// <summary>What every stack allocated ever and what of it was alive at the end, by process and thread. Made as they
    /// are enumerated.</summary>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    public IReadOnlyList<SampleUsage> Samples(int? pid = null) =>
        Checked(() => new SampleTable(_trace, Tree, new ProcessSelection(_trace, pid)).Build());

    /// <summary>Where the resident memory of a process was at every look, whatever it had executed by then; by time.</summary>
    /// <param name="pid">Its pid.</param>
    /// <exception cref="ToolException">There is no such process (exit code 2).</exception>
    public IReadOnlyList<Ledger> Ledgers(int pid)
    {
        var processes = new ProcessSelection(_trace, pid);
        return
        [
            .. _trace.LedgerRows().Where(row => processes.Contains(row.Process))
                .GroupBy(row => (row.Process, row.TimeNs))
                .Where(look => look.Any(row => row.Part == "rss"))
                .Select(look => new Ledger(
                    look.Key.TimeNs,
                    look.Single(row => row.Part == "rss").Bytes,
                    [.. look.Where(row => row.Part is not ("rss" or "unexplained")).Select(row => new LedgerPart(row.Part, row.Bytes))],
                    look.Where(row => row.Part == "unexplained").Sum(row => row.Bytes)))
                .OrderBy(ledger => ledger.TimeNs),
        ];
    }

    /// <summary>Figures beside the ledgers of a process, by time.</summary>
    /// <param name="pid">Its pid.</param>
    /// <exception cref="ToolException">There is no such process (exit code 2).</exception>
    public IReadOnlyList<LedgerGauge> Gauges(int pid)
    {
        var processes = new ProcessSelection(_trace, pid);
        return [.. _trace.LedgerGauges().Where(row => processes.Contains(row.Process)).Select(row => row.Gauge).OrderBy(gauge => gauge.TimeNs)];
    }

    /// <summary>Pauses by the garbage collector of a process, by time.</summary>
    /// <param name="pid">Its pid.</param>
    /// <exception cref="ToolException">There is no such process (exit code 2).</exception>
    public IReadOnlyList<GcPause> Pauses(int pid)
    {
        var processes = new ProcessSelection(_trace, pid);
        return [.. _trace.GcPauses().Where(row => processes.Contains(row.Process)).Select(row => row.Pause).OrderBy(pause => pause.TimeNs)];
    }

    /// <summary>What each thread allocated and kept, those that have most alive first.</summary>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    /// <exception cref="ToolException">The trace does not say which thread allocated, or has no such pid (exit code 2).</exception>
    public IReadOnlyList<ThreadCost> Threads(int? pid = null) => _trace.HasThreadShares
        ? Checked(() => ThreadCosts.Of(_trace, new ProcessSelection(_trace, pid)))
        : throw new ToolException($"{Path} is of an older version and does not say which thread allocated", ExitCodes.Usage);

    /// <summary>When it changed which births of a process were recorded, and which were where not all were from its start; by
    /// time.</summary>
    /// <param name="pid">Its pid; null: of all.</param>
    /// <exception cref="ToolException">There is no such process (exit code 2).</exception>
    public IReadOnlyList<SamplingRow> Sampling(int? pid = null)
    {
        var processes = new ProcessSelection(_trace, pid);
        return Checked(() => (IReadOnlyList<SamplingRow>)[.. _trace.Sampling().Where(row => processes.Contains(row.Process)).OrderBy(row => row.TimeNs)]);
    }

    /// <summary>From when on figures are estimates: some were recorded exactly before. Null: from the beginning, or never.</summary>
    public long? SampledFromNs =>
        Sampling().FirstOrDefault(row => row.SampleBytes > 0) is { SampleBytes: > 0 } first && first.TimeNs > Processes.Min(process => process.StartNs)
            ? first.TimeNs
            : null;

    /// <summary>The stacks by number.</summary>
    public StackTree Stacks => new(Tree.Frames);

    /// <summary>
    /// Blocks by node of <see cref="Stacks"/> and by the buckets of time in which they were born and died, by process.
    /// </summary>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    /// <exception cref="TraceException">The trace cannot be read.</exception>
    public IEnumerable<BlockGroup> Blocks(int? pid = null)
    {
        var processes = new ProcessSelection(_trace, pid);
        var width = new BucketEdges(_trace, processes.EndNs(_trace)).WidthNs;
        foreach (var row in _trace.Cohorts().Where(row => processes.Contains(row.Process)))
        {
            yield return new BlockGroup(
                Processes[row.Process.Value - 1],
                Tree.NodeOf(row.Stack),
                row.Birth * width,
                row.Death == CohortRow.NeverFreed ? null : row.Death * width,
                row.Blocks,
                row.Bytes);
        }
    }

    /// <summary>The heap of a process at a snapshot.</summary>
    /// <param name="moment">The snapshot's name or number; null: the last one.</param>
    /// <param name="pid">Of the process; null: the one whose objects were counted, else the first one that the snapshot knows.
    /// </param>
    /// <exception cref="ToolException">There is no such snapshot, or it knows no such process (exit code 4).</exception>
    public SnapshotHeap SnapshotHeap(string? moment, int? pid = null)
    {
        var all = Snapshots;
        var snapshot = moment is null ? all.Count > 0 ? all[^1] : null : FindSnapshot(new StackQuestion { Moment = moment });
        return snapshot is null
            ? throw new ToolException(
                $"{Path}{(moment is null ? "" : "@" + moment)} holds no objects: {WhereTypesAre()}", ExitCodes.Input)
            : Analysis.SnapshotHeap.Find(_trace, () => Tree, snapshot, pid);
    }

    /// <summary>The objects and blocks of all processes by type, as they were counted at a snapshot.</summary>
    /// <param name="moment">The snapshot's name or number; null: the end, where nobody counts.</param>
    /// <exception cref="ToolException">There is no such snapshot, or types were not counted at it (exit code 4).</exception>
    internal IReadOnlyList<TypeCount> TypesAt(string? moment)
    {
        var snapshot = FindSnapshot(new StackQuestion { Moment = moment });
        var types = snapshot is null ? [] : _trace.SnapshotTypes(snapshot).Select(row => row.Type).ToList();
        return types.Count > 0
            ? types
            : throw new ToolException(
                $"{Path}@{moment ?? TraceReference.End} holds no types: {WhereTypesAre()}", ExitCodes.Input);
    }

    /// <summary>For messages: which snapshots have objects by type, or how one comes to have them.</summary>
    public string WhereTypesAre()
    {
        const int most = 5;
        var counted = Snapshots.Where(snapshot => _trace.SnapshotTypes(snapshot).Any()).Take(most + 1)
            .Select(snapshot => "@" + (snapshot.Name ?? $"{snapshot.Number}")).ToList();
        return counted.Count == 0
            ? "they are counted at snapshots that are asked for (nativeheap snapshot -p PID), and at those by time or growth"
            : $"they were counted at {string.Join(", ", counted.Take(most))}{(counted.Count > most ? " and others" : "")}";
    }

    /// <summary>How the heap grew.</summary>
    public HeapTimeline Timeline(TimelineQuestion question)
    {
        return Checked(() =>
        {
            var processes = new ProcessSelection(_trace, question.Pid);
            return new TimelineBuilder(_trace, new Lazy<MergedTree>(() => Tree), processes, question)
                .Build(TotalsSum.Of(_trace, processes).Peak);
        });
    }

    /// <summary>The heap-checks, by number.</summary>
    /// <param name="suppressions">What is not to be reported; null: nothing.</param>
    public IReadOnlyList<LeakCheck> LeakChecks(LeakSuppressions? suppressions = null) => Checked(() =>
    {
        using var linkage = new LinkageNames();
        var checks = new LeakChecks(_trace, Tree, suppressions ?? LeakSuppressions.None, linkage);
        return (IReadOnlyList<LeakCheck>)[.. _trace.LeakChecks().Select(row => checks.Read(row, null))];
    });

    /// <summary>One heap-check; null when there is none of that number.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="sinceLast">Whether leaks that the process's check before it had found are left out.</param>
    /// <param name="suppressions">What is not to be reported; null: nothing.</param>
    public LeakCheck? LeakCheck(int number, bool sinceLast, LeakSuppressions? suppressions = null) => Checked(() =>
    {
        using var linkage = new LinkageNames();
        var rows = _trace.LeakChecks().ToList();
        var row = rows.Find(candidate => candidate.Number == number);
        var since = sinceLast && row is not null
            ? rows.FindLast(candidate => candidate.Number < number && candidate.Process == row.Process && candidate.IsComplete)
            : null;
        return row is null ? null : new LeakChecks(_trace, Tree, suppressions ?? LeakSuppressions.None, linkage).Read(row, since);
    });

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

    private (ProcessId Process, Ledger Ledger)? FindLedger()
    {
        var successors = ProcessImages.Successors(Processes);
        (ProcessId, Ledger)? last = null;
        for (var image = Processes[0]; image is not null; image = successors[image.Id.Value - 1])
        {
            last = _trace.LastLedger(image.Id) is { } ledger ? (image.Id, ledger) : last;
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

    // A report asks the same for its head and for its table.
    private (StackAnswer Answer, CostTable Costs) Weigh(StackQuestion question)
    {
        _ = question.Measure(); // also of its limit
        var unlimited = question with { Top = null };
        if (_last is not { } last || last.Question != unlimited)
        {
            var (answer, costs) = WeighAnew(unlimited);
            _last = last = (unlimited, answer, costs);
        }

        return (last.Answer, last.Costs);
    }

    private (StackAnswer Answer, CostTable Costs) WeighAnew(StackQuestion question)
    {
        var measure = question.Measure();
        var processes = new ProcessSelection(_trace, question.Pid);
        var snapshot = FindSnapshot(question);
        var answer = new StackAnswer
        {
            IsExact = Info.Exact || question.OfMappings,
            OfMappings = question.OfMappings,
            By = measure,
            Stacks = [],
            StackCount = 0,
            Bytes = 0,
            Blocks = 0,
            Snapshot = snapshot,
            Tid = question.Tid,
            Module = question.Module,
            Sizes = question.Sizes,
            LifetimesUs = question.LifetimesUs,
        };
        var selector = new CostSelector(_trace, Tree, processes);
        if (question.OfMappings)
        {
            selector.AddMappings(measure, snapshot);
            answer = answer with { AtNs = snapshot?.TimeNs };
        }
        else if (snapshot is not null)
        {
            selector.AddSnapshot(snapshot);
            answer = answer with { AtNs = snapshot.TimeNs };
        }
        else if (question.AtNs is not null || question.HasRange)
        {
            answer = AddRange(question, measure, selector, new BucketEdges(_trace, processes.EndNs(_trace)), answer);
        }
        else if (question.Tid is { } tid)
        {
            selector.AddThread(measure, tid);
        }
        else if (question.Sizes is { } sizes)
        {
            selector.AddHistogram(HistogramKind.Size, sizes);
        }
        else if (question.LifetimesUs is { } lifetimes)
        {
            selector.AddHistogram(HistogramKind.Lifetime, lifetimes);
        }
        else
        {
            selector.AddTotals(measure);
        }

        var costs = question.Module is { } module ? ModuleFilter.Keep(Tree.Frames, selector.Costs, module, Path) : selector.Costs;
        return (answer with { Bytes = costs.Bytes, Blocks = costs.Blocks }, costs);
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
        if (measure == StackMeasure.Freed)
        {
            selector.AddFreed(from, to);
        }
        else
        {
            selector.AddCohorts(measure, from, to, edges);
        }

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
        var all = costs.Largest(answer.By == StackMeasure.Count);
        var chosen = top < all.Length ? all[..top.Value] : all;
        var tree = Tree;
        return answer with
        {
            StackCount = all.Length,
            Costs = chosen,
            Stacks = new LazyList<StackCost>(
                chosen.Length, i => new StackCost(tree.StackOf(chosen[i].Node), chosen[i].Bytes, chosen[i].Blocks)),
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
    private PlaceNames FindNames()
    {
        var names = PlaceNames.Find(_trace, _symbolizer, _live);
        Notes = names.Notes;
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

/// <summary>Blocks of one stack that were born in one bucket of time and died in one.</summary>
/// <param name="Process">Their process.</param>
/// <param name="Node">Their stack, a node of <see cref="Profile.Stacks"/>.</param>
/// <param name="BirthNs">Start of the bucket in which they were born, nanoseconds since the trace's start.</param>
/// <param name="DeathNs">Start of the bucket in which they died; null: they were alive at the process's end.</param>
/// <param name="Blocks">How many.</param>
/// <param name="Bytes">Their requested bytes.</param>
public readonly record struct BlockGroup(
    ProcessInfo Process, int Node, long BirthNs, long? DeathNs, long Blocks, long Bytes);
