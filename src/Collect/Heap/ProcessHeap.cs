using System.Numerics;
using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// One process's heap as its events tell it: order, live blocks, totals per stack, cohorts, timeline. Costs no garbage
/// per event. For one thread.
/// </summary>
internal sealed class ProcessHeap : IDisposable
{
    /// <summary>Death of a cohort's blocks that are alive.</summary>
    public const uint Alive = 0x7FF;

    private readonly StripeOrder _order = new();
    private readonly IndexMap _indexByNode = new();
    private readonly NativeList<int> _dirty = new();
    private readonly LiveTotal _trace;
    private readonly BucketClock _buckets;
    private readonly bool _forked;
    private readonly uint _nodeCapacity;

    /// <summary>A heap without a block.</summary>
    /// <param name="trace">The trace's total, which this one is part of.</param>
    /// <param name="buckets">The trace's buckets.</param>
    /// <param name="nodeCapacity">Nodes are below this.</param>
    /// <param name="forked">It began with blocks of its parent's.</param>
    public ProcessHeap(LiveTotal trace, BucketClock buckets, int nodeCapacity, bool forked)
    {
        _trace = trace;
        _buckets = buckets;
        _nodeCapacity = (uint)nodeCapacity;
        _forked = forked;
    }

    /// <summary>Live blocks and bytes, and their peak.</summary>
    public LiveTotal Live { get; } = new();

    /// <summary>The blocks themselves.</summary>
    public LiveTable Blocks { get; } = new();

    /// <summary>Totals per leaf node.</summary>
    public NativeList<StackTotal> Stacks { get; } = new();

    /// <summary>Changes to cohorts since the last commit; keys by <see cref="CohortKey"/>.</summary>
    public DeltaTable Cohorts { get; } = new();

    /// <summary>Changes to histograms since the last commit; keys by <see cref="HistogramKey"/>.</summary>
    public DeltaTable Histograms { get; } = new();

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

    /// <summary>Takes the next operation of a ring; it is applied now or when its turn has come.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Submit(in HeapOperation operation)
    {
        var stripe = StripeOrder.Stripe(operation.Address);
        switch (_order.Take(stripe, operation))
        {
            case Turn.Now:
                Apply(operation);
                if (_order.Parked != 0)
                {
                    Unpark(stripe);
                }

                break;
            case Turn.Late:
                Apply(operation);
                break;
            case Turn.Parked when _order.Parked >= StripeOrder.MostParked:
                PassOverGaps();
                break;
        }
    }

    /// <summary>Applies what still waits for numbers that will not come; they count as lost.</summary>
    public void PassOverGaps()
    {
        if (_order.Parked != 0)
        {
            _order.PassOverGaps(operation => Apply(operation));
        }
    }

    /// <summary>Carries what the totals keep for themselves over to the cohorts and histograms.</summary>
    public void CarryOver()
    {
        for (var i = 0; i < _dirty.Count; i++)
        {
            ref var total = ref Stacks[_dirty[i]];
            CarryCohorts(ref total, _dirty[i]);
            CarrySizes(ref total, _dirty[i]);
            CarryLifetimes(ref total, _dirty[i]);
        }
    }

    /// <summary>Marks a stack's row as one to be written.</summary>
    public void MarkDirty(int stack)
    {
        ref var total = ref Stacks[stack];
        if (!total.Dirty)
        {
            total.Dirty = true;
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
        CarryOver(); // what the totals keep has the old numbers still
        var rows = new List<(ulong Key, long Blocks, long Bytes)>(Cohorts.Count);
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
        _dirty.Dispose();
        Blocks.Dispose();
        Stacks.Dispose();
        Cohorts.Dispose();
        Histograms.Dispose();
        Timeline.Dispose();
        Threads.Dispose();
        Streams.Clear();
    }

    private void Unpark(uint stripe)
    {
        while (_order.TryUnpark(stripe, out var operation))
        {
            Apply(operation);
        }
    }

    private void Apply(in HeapOperation operation)
    {
        switch (operation.Kind)
        {
            case OperationKind.Birth:
                ApplyBirth(operation);
                break;
            case OperationKind.Death:
                ApplyDeath(operation);
                break;
        }
    }

    private void ApplyBirth(in HeapOperation birth)
    {
        var stack = StackOf(birth.Node, birth.TimeMs);
        var block = new LiveBlock
        {
            Address = birth.Address,
            BytesAndThread = LiveBlock.Pack(birth.Bytes, birth.Thread),
            Stack = stack,
            BirthMs = birth.TimeMs,
        };
        if (Blocks.Insert(block, out var previous))
        {
            Contradictions++;
            Died(previous, birth, temporary: false);
        }

        var bytes = block.Bytes;
        var bucket = _buckets.Of(birth.TimeMs);
        ref var total = ref Stacks[stack];
        Touch(ref total, stack);
        total.Allocations++;
        total.AllocatedBytes += bytes;
        CountSize(ref total, stack, bytes);
        if (total.OpenBucket != bucket)
        {
            CarryCohorts(ref total, stack);
            total.OpenBucket = bucket;
        }

        total.OpenBlocks++;
        total.OpenBytes += bytes;

        Allocations++;
        AllocatedBytes += bytes;
        ref var thread = ref Threads[birth.Thread];
        thread.Allocations++;
        thread.AllocatedBytes += bytes;
        thread.Dirty = true;

        ref var point = ref Timeline.At(bucket, Live.Bytes);
        Live.Add(bytes, birth.TimeMs);
        _trace.Add(bytes, birth.TimeMs);
        point.Allocations++;
        point.AllocatedBytes += bytes;
        point.LiveBlocks++;
        point.LiveBytes += bytes;
        point.PeakBytes = Math.Max(point.PeakBytes, Live.Bytes);
        point.Dirty = true;
    }

    private void ApplyDeath(in HeapOperation death)
    {
        if (Blocks.Remove(death.Address, out var block))
        {
            // The thread's last allocation may have been given back by another thread, and the address be someone else's.
            Died(block, death, death.Temporary && block.Thread == death.Thread);
        }
        else if (_forked)
        {
            InheritedFrees++;
        }
        else
        {
            ForeignFrees++;
        }
    }

    private void Died(in LiveBlock block, in HeapOperation death, bool temporary)
    {
        var bytes = block.Bytes;
        var deathMs = Math.Max(death.TimeMs, block.BirthMs); // clocks of two rings may be a tick apart
        ref var total = ref Stacks[block.Stack];
        Touch(ref total, block.Stack);
        total.Frees++;
        total.FreedBytes += bytes;
        if (temporary)
        {
            total.Temporary++;
            total.TemporaryBytes += bytes;
            TemporaryAllocations++;
        }

        CountLifetime(ref total, block.Stack, deathMs - block.BirthMs, bytes);
        var bucket = _buckets.Of(deathMs);
        Bury(ref total, block.Stack, _buckets.Of(block.BirthMs), bucket, bytes);

        Frees++;
        FreedBytes += bytes;
        Live.Remove(1, bytes);
        _trace.Remove(1, bytes);
        ref var point = ref Timeline.At(bucket, Live.Bytes + bytes);
        point.LiveBlocks--;
        point.LiveBytes -= bytes;
        point.Dirty = true;

        var stream = Streams[death.Stream];
        stream.Add(-bytes, LastPass);
        if (death.Delayed)
        {
            stream.WasDelayed(bytes, death.Pass, LastPass);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Bury(ref StackTotal total, int stack, uint birth, uint death, long bytes)
    {
        if (total.OpenBucket == birth)
        {
            total.OpenBlocks--;
            total.OpenBytes -= bytes;
            if (death == birth)
            {
                total.ShutBlocks++;
                total.ShutBytes += bytes;
                return;
            }
        }
        else
        {
            Cohorts.Add(CohortKey(stack, birth, Alive), -1, -bytes);
        }

        Cohorts.Add(CohortKey(stack, birth, death), 1, bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Touch(ref StackTotal total, int stack)
    {
        total.BeforeChange(Live.Epoch, _trace.Epoch);
        if (!total.Dirty)
        {
            total.Dirty = true;
            _dirty.Add(stack);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int StackOf(uint node, uint timeMs)
    {
        var index = _indexByNode.Find(node);
        return index >= 0 ? index : AddStack(node, timeMs);
    }

    private int AddStack(uint node, uint timeMs)
    {
        // A node that cannot be is the root: a stack of which nothing is known.
        if (node >= _nodeCapacity && node != 0)
        {
            return StackOf(0, timeMs);
        }

        var index = Stacks.Add(new StackTotal
        {
            Node = node,
            FirstMs = timeMs,
            ProcessEpoch = Live.Epoch,
            TraceEpoch = _trace.Epoch,
            NextTwin = -1,
            FirstTwin = Stacks.Count,
        });
        _indexByNode.Add(node, index);
        return index;
    }

    private static int BitLength(ulong value) => 64 - BitOperations.LeadingZeroCount(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountSize(ref StackTotal total, int stack, long bytes)
    {
        var bucket = (byte)BitLength((ulong)bytes);
        if (total.SizeBucket != bucket)
        {
            CarrySizes(ref total, stack);
            total.SizeBucket = bucket;
        }

        total.SizeBlocks++;
        total.SizeBytes += bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountLifetime(ref StackTotal total, int stack, uint milliseconds, long bytes)
    {
        var bucket = (byte)BitLength(milliseconds * 1000UL);
        if (total.LifetimeBucket != bucket)
        {
            CarryLifetimes(ref total, stack);
            total.LifetimeBucket = bucket;
        }

        total.LifetimeBlocks++;
        total.LifetimeBytes += bytes;
    }

    private void CarryCohorts(ref StackTotal total, int stack)
    {
        if (total.OpenBlocks != 0 || total.OpenBytes != 0)
        {
            Cohorts.Add(CohortKey(stack, total.OpenBucket, Alive), total.OpenBlocks, total.OpenBytes);
            total.OpenBlocks = total.OpenBytes = 0;
        }

        if (total.ShutBlocks != 0)
        {
            Cohorts.Add(CohortKey(stack, total.OpenBucket, total.OpenBucket), total.ShutBlocks, total.ShutBytes);
            total.ShutBlocks = total.ShutBytes = 0;
        }
    }

    private void CarrySizes(ref StackTotal total, int stack)
    {
        if (total.SizeBlocks != 0)
        {
            Histograms.Add(HistogramKey(stack, false, total.SizeBucket), total.SizeBlocks, total.SizeBytes);
            total.SizeBlocks = total.SizeBytes = 0;
        }
    }

    private void CarryLifetimes(ref StackTotal total, int stack)
    {
        if (total.LifetimeBlocks != 0)
        {
            Histograms.Add(HistogramKey(stack, true, total.LifetimeBucket), total.LifetimeBlocks, total.LifetimeBytes);
            total.LifetimeBlocks = total.LifetimeBytes = 0;
        }
    }
}
