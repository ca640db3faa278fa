using NativeHeap.Model;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// One process's heap as its events tell it: order, live blocks, totals per stack, cohorts, timeline. Costs no garbage
/// per event. For one thread.
/// </summary>
internal sealed partial class ProcessHeap : IDisposable
{
    /// <summary>Death of a cohort's blocks that are alive.</summary>
    public const uint Alive = 0x7FF;

    private readonly StripeOrder _order = new();
    private readonly IndexMap _indexByNode = new();
    private readonly NativeList<int> _dirty = new();
    private readonly LiveTotal _trace;
    private readonly BucketClock _buckets;
    private readonly HeapBefore _before;
    private readonly uint _nodeCapacity;
    private HashSet<ulong>? _ignored; // null in all but the fewest programs: a death looks here

    /// <summary>A heap without a block.</summary>
    /// <param name="trace">The trace's total, which this one is part of.</param>
    /// <param name="buckets">The trace's buckets.</param>
    /// <param name="nodeCapacity">Nodes are below this.</param>
    /// <param name="before">What blocks it began with.</param>
    public ProcessHeap(LiveTotal trace, BucketClock buckets, int nodeCapacity, HeapBefore before)
    {
        _trace = trace;
        _buckets = buckets;
        _nodeCapacity = (uint)nodeCapacity;
        _before = before;
    }

    /// <summary>Live blocks and bytes, and their peak.</summary>
    public LiveTotal Live { get; } = new();

    /// <summary>The blocks themselves.</summary>
    public LiveTable Blocks { get; } = new();

    /// <summary>Addresses of blocks that the program wants no leaks to be made of; some may point into their midst.</summary>
    public IReadOnlyCollection<ulong> Ignored => _ignored ?? (IReadOnlyCollection<ulong>)[];

    /// <summary>Totals per leaf node.</summary>
    public NativeList<StackTotal> Stacks { get; } = new();

    /// <summary>Changes to cohorts since the last commit; keys by <see cref="CohortKey"/>. What is under <see cref="Alive"/> are
    /// births: those that died since are to be taken off.</summary>
    public DeltaTable Cohorts { get; } = new();

    /// <summary>Changes to histograms since the last commit; keys by <see cref="HistogramKey"/>.</summary>
    public DeltaTable Histograms { get; } = new();

    /// <summary>Changes to the shares of threads in stacks that several allocated by, since the last commit; keys by
    /// <see cref="ShareKey"/>.</summary>
    public DeltaTable Shares { get; } = new();

    public Timeline Timeline { get; } = new();

    public ThreadTotals Threads { get; } = new();

    /// <summary>One for each ring the process has written to.</summary>
    public List<StreamSums> Streams { get; } = [];

    public PeakInterval Interval { get; } = new();

    public long Allocations { get; private set; }

    public long AllocatedBytes { get; private set; }

    public long Frees { get; private set; }

    public long FreedBytes { get; private set; }

    public long TemporaryAllocations { get; private set; }

    /// <summary>Frees of blocks that were born before the fork.</summary>
    public long InheritedFrees { get; private set; }

    /// <summary>Frees of blocks from before the process was attached to.</summary>
    public long EarlierFrees { get; private set; }

    /// <summary>Frees of blocks that were never seen born.</summary>
    public long ForeignFrees { get; private set; }

    /// <summary>Events that must have been and did not come.</summary>
    public long LostEvents => _order.Missing + Contradictions;

    /// <summary>Births at an address whose block was alive: its free was lost.</summary>
    public long Contradictions { get; private set; }

    /// <summary>Operations waiting for a predecessor.</summary>
    public int Parked => _order.Parked;

    /// <summary>Pass of the last event.</summary>
    public long LastPass { get; set; }

    /// <summary>Anything to write since the last commit.</summary>
    public bool Changed { get; set; } = true;

    /// <summary>Indices of <see cref="Stacks"/> that changed since they were last taken.</summary>
    public NativeList<int> DirtyStacks => _dirty;

    /// <summary>Key of a cohort in <see cref="Cohorts"/>.</summary>
    public static ulong CohortKey(int stack, uint birth, uint death) => ((ulong)stack << 22) | (birth << 11) | death;

    /// <summary>The parts of a <see cref="CohortKey"/>.</summary>
    public static (int Stack, uint Birth, uint Death) CohortOf(ulong key) =>
        ((int)(key >> 22), (uint)(key >> 11) & 0x7FF, (uint)key & 0x7FF);

    /// <summary>Key of a histogram's bucket in <see cref="Histograms"/>.</summary>
    public static ulong HistogramKey(int stack, bool lifetime, int bucket) =>
        ((ulong)stack << 8) | (lifetime ? 0x80u : 0u) | (uint)bucket;

    /// <summary>The parts of a <see cref="HistogramKey"/>.</summary>
    public static (int Stack, bool Lifetime, int Bucket) HistogramOf(ulong key) =>
        ((int)(key >> 8), (key & 0x80) != 0, (int)(key & 0x7F));

    /// <summary>Key of what a thread allocated by a stack, or of what was freed of that, in <see cref="Shares"/>.</summary>
    public static ulong ShareKey(int stack, int thread, bool freed) =>
        ((ulong)stack << 17) | ((ulong)thread << 1) | (freed ? 1u : 0u);

    /// <summary>The parts of a <see cref="ShareKey"/>.</summary>
    public static (int Stack, int Thread, bool Freed) ShareOf(ulong key) =>
        ((int)(key >> 17), (int)(key >> 1) & 0xFFFF, (key & 1) != 0);

    /// <summary>Counts the shares of threads in a stack one by one from now on.</summary>
    public void Share(int stack)
    {
        ref var total = ref Stacks[stack];
        if (total.Marks.Shared)
        {
            return;
        }

        total.Marks.Shared = true;
        Shares.Add(ShareKey(stack, total.Marks.Thread, freed: false), total.Allocations, total.AllocatedBytes);
        if (total.Frees != 0)
        {
            Shares.Add(ShareKey(stack, total.Marks.Thread, freed: true), total.Frees, total.FreedBytes);
        }
    }

    /// <summary>Marks a stack's row as one to be written.</summary>
    public void MarkDirty(int stack)
    {
        ref var total = ref Stacks[stack];
        if (!total.Marks.Dirty)
        {
            total.Marks.Dirty = true;
            _dirty.Add(stack);
        }
    }

    /// <summary>The process is gone: keeps what it had at the trace's peak.</summary>
    /// <param name="committedEpoch">The trace's epoch at the last commit, by which rows were written.</param>
    public void FreezeTraceShare(ulong committedEpoch)
    {
        var epoch = _trace.Epoch;
        for (var i = 0; i < Stacks.Count; i++)
        {
            ref var total = ref Stacks[i];
            if (total.TraceEpoch == epoch)
            {
                continue;
            }

            if (total.TraceEpoch == committedEpoch)
            {
                MarkDirty(i); // its row has the share at a peak that was passed since
            }

            total.FreezeTraceShare(epoch);
        }
    }

    /// <summary>The trace's buckets have doubled: everything kept by bucket follows.</summary>
    public void HalveBuckets()
    {
        foreach (var stack in _dirty.Items)
        {
            CarryOver(stack, Cohorts, Histograms, Shares); // what the totals keep has the old numbers still
        }

        var rows = new DeltaList();
        Cohorts.Drain(rows);
        foreach (var (key, blocks, bytes) in rows)
        {
            var (stack, birth, death) = CohortOf(key);
            Cohorts.Add(CohortKey(stack, birth >> 1, death == Alive ? Alive : death >> 1), blocks, bytes);
        }

        for (var i = 0; i < Stacks.Count; i++)
        {
            Stacks[i].OpenBucket >>= 1;
        }

        Timeline.Halve();
    }

    public void Dispose()
    {
        _order.Dispose();
        _indexByNode.Dispose();
        Rates.Dispose();
        _dirty.Dispose();
        Blocks.Dispose();
        Stacks.Dispose();
        Cohorts.Dispose();
        Histograms.Dispose();
        Shares.Dispose();
        Timeline.Dispose();
        Threads.Dispose();
        Streams.Clear();
    }

    private int AddStack(uint node, ushort thread, uint timeMs, byte rate)
    {
        var indexByNode = rate == 0 ? _indexByNode : Rates.IndexByNode(rate);

        // A node that cannot be is the root: a stack of which nothing is known.
        var known = node >= _nodeCapacity ? 0 : node;
        if (known != node && indexByNode.Find(known) is >= 0 and var root)
        {
            return root;
        }

        var index = Stacks.Add(new StackTotal
        {
            Node = known,
            Marks = new StackMarks { Rate = rate, Thread = thread },
            FirstMs = timeMs,
            ShutCohort = StackTotal.NoCohort,
            OpenBucket = _buckets.Of(timeMs),
            ProcessEpoch = Live.Epoch,
            TraceEpoch = _trace.Epoch,
            NextTwin = -1,
            FirstTwin = Stacks.Count,
        });
        indexByNode.Add(known, index);
        return index;
    }
}
