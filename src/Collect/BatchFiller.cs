using NativeHeap.Collect.Heap;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>Puts what changed since the last commit into a batch. For the drain's thread.</summary>
internal sealed class BatchFiller
{
    private const int MostCommitsWaited = 20; // 5 s for a module record that is claimed and not filled in

    private readonly RecordingShared _shared;
    private readonly List<TimelinePoint> _points = [];
    private int _modules;
    private int _locations;
    private int _code;
    private int _stacks;
    private int _threads;

    public BatchFiller(RecordingShared shared)
    {
        _shared = shared;
    }

    /// <summary>Everything of one process that changed.</summary>
    /// <param name="process">The process.</param>
    /// <param name="to">The batch.</param>
    /// <param name="last">True: nothing will be known later that is not known now.</param>
    public void Fill(TrackedProcess process, TraceBatch to, bool last)
    {
        var heap = process.Heap;
        MarkPassedPeaks(process);
        var mayWait = !last && !process.HasEnded && process.CommitsWaited < MostCommitsWaited;
        if (!process.ResolveStacks(mayWait))
        {
            process.CommitsWaited++;
        }

        AssignThreadRows(process);
        var counts = new CountRows(process, to);
        counts.TakeFromTotals();
        FillStackTotals(process, to); // may find that several threads share a stack, and count their shares
        counts.TakeFromTables();
        ForgetDirt(heap);
        FillTimeline(process, to);
        FillThreads(process, to);
        FillMappings(process, to);
        FillMapped(process, to, mayWait);
        if (heap.Changed)
        {
            to.Processes.Add(Describe(process));
            heap.Changed = false;
        }
    }

    /// <summary>New binaries, places and stacks; after every process.</summary>
    public void FillRegistry(TraceBatch to)
    {
        var registry = _shared.Registry;
        for (; _modules < registry.Modules.Count; _modules++)
        {
            to.Modules.Add((_modules + 1, registry.Modules[_modules]));
        }

        for (; _locations < registry.Locations.Count; _locations++)
        {
            var (module, offset, kind) = registry.Locations[_locations];
            to.Locations.Add((_locations + 1, module, offset, kind));
        }

        for (; _code < registry.Code.Count; _code++)
        {
            to.Code.Add(registry.Code[_code].ToRow());
        }

        for (; _stacks < registry.Stacks.Count; _stacks++)
        {
            var (parent, location) = registry.Stacks[_stacks + 1];
            to.Stacks.Add((_stacks + 1, parent, location));
        }
    }

    /// <summary>What is alive now, per stack, and block by block where that was asked for.</summary>
    /// <param name="process">The process.</param>
    /// <param name="mostBlocks">How many at most; null: none.</param>
    /// <param name="to">The snapshot.</param>
    public void FillSnapshot(TrackedProcess process, int? mostBlocks, SnapshotRows to)
    {
        process.ResolveStacks(mayWait: false);
        AssignThreadRows(process);
        for (var i = 0; i < process.Heap.Stacks.Count; i++)
        {
            ref var total = ref process.Heap.Stacks[i];
            if (total.FirstTwin != i || total.StackId == 0)
            {
                continue;
            }

            var sum = Sum(process, i, ended: false);
            if (sum.LiveBlocks > 0)
            {
                to.Totals.Add(new SnapshotRow(process.Id, new StackId(total.StackId), sum.LiveBlocks, sum.LiveBytes));
            }
        }

        FillMapped(process, to);
        if (mostBlocks is { } most)
        {
            FillBlocks(process, most, to);
        }
    }

    /// <summary>A process's row as of now.</summary>
    public static ProcessInfo Describe(TrackedProcess process)
    {
        var heap = process.Heap;
        var end = process.HasEnded ? process.End : null;
        var endNs = end is null ? (long?)null : Math.Max(end.TimeNs, process.StartNs);
        return new ProcessInfo
        {
            Id = process.Id,
            Pid = process.Pid,
            Image = process.Image,
            ParentId = process.Parent?.Id,
            ParentPid = process.ParentPid,
            Origin = process.Origin,
            Command = process.Command,
            Executable = process.Executable,
            StartNs = process.StartNs,
            EndNs = endNs,
            Ending = end?.Ending,
            ExitCode = end?.ExitCode,
            Signal = end?.Signal,
            Complete = end is not null && IsComplete(process),
            Note = process.Remarks(),
            Totals = new Totals
            {
                Allocations = heap.Allocations,
                AllocatedBytes = heap.AllocatedBytes,
                Frees = heap.Frees,
                FreedBytes = heap.FreedBytes,
                LiveBlocks = heap.Live.Blocks,
                LiveBytes = heap.Live.Bytes,
                Peak = PeakOf(heap.Live, heap.Interval),
                TemporaryAllocations = heap.TemporaryAllocations,
                InheritedFrees = heap.InheritedFrees,
                EarlierFrees = heap.EarlierFrees,
                ForeignFrees = heap.ForeignFrees,
                MissedCalls = (long)process.MissedCalls,
                DurationNs = (endNs ?? 0) - process.StartNs,
            },
        };
    }

    /// <summary>The peak with its bounds; a bound that lags behind is moved to what is certain.</summary>
    public static Peak PeakOf(LiveTotal live, PeakInterval interval) => new()
    {
        Bytes = live.PeakBytes,
        Blocks = live.PeakBlocks,
        TimeNs = live.PeakMs * 1_000_000L,
        LowBytes = Math.Min(interval.Low, live.PeakBytes),
        HighBytes = Math.Max(interval.High, live.PeakBytes),
    };

    /// <summary>Whether every event of a process was received.</summary>
    public static bool IsComplete(TrackedProcess process) =>
        process.LostEvents == 0 && process.Faults == 0 && process.MissedCalls == 0
        && process is { WasOff: false, WasPaused: false, HasUnrecordedChildren: false };

    // A row whose stack did not change is stale nevertheless when its share at the peak was kept for a peak that is
    // not the highest any more.
    private void MarkPassedPeaks(TrackedProcess process)
    {
        var heap = process.Heap;
        var processMoved = heap.Live.Epoch != process.CommittedProcessEpoch;
        var traceMoved = _shared.Live.Epoch != process.CommittedTraceEpoch && !process.HasEnded;
        if (processMoved || traceMoved)
        {
            for (var i = 0; i < heap.Stacks.Count; i++)
            {
                ref var total = ref heap.Stacks[i];
                if ((processMoved && total.ProcessEpoch == process.CommittedProcessEpoch)
                    || (traceMoved && total.TraceEpoch == process.CommittedTraceEpoch))
                {
                    heap.MarkDirty(i);
                }
            }
        }

        process.CommittedProcessEpoch = heap.Live.Epoch;
        process.CommittedTraceEpoch = _shared.Live.Epoch;
    }

    private void FillStackTotals(TrackedProcess process, TraceBatch to)
    {
        foreach (var index in process.Heap.DirtyStacks.Items)
        {
            if (process.Heap.Stacks[index].StackId != 0)
            {
                to.StackTotals.Add(Sum(process, process.Heap.Stacks[index].FirstTwin, process.HasEnded).Row);
            }
        }
    }

    // All nodes that are the same stack together.
    private (StackTotalRow Row, long LiveBlocks, long LiveBytes) Sum(TrackedProcess process, int first, bool ended)
    {
        var heap = process.Heap;
        var thread = SoleThread(heap, first);
        StackTotal sum = default;
        for (var i = first; i >= 0; i = heap.Stacks[i].NextTwin)
        {
            ref var total = ref heap.Stacks[i];
            var own = total.AtProcessPeak(heap.Live.Epoch);
            var trace = total.AtTracePeak(_shared.Live.Epoch, ended);
            sum.Allocations += total.Allocations;
            sum.AllocatedBytes += total.AllocatedBytes;
            sum.Frees += total.Frees;
            sum.FreedBytes += total.FreedBytes;
            sum.Temporary += total.Temporary;
            sum.TemporaryBytes += total.TemporaryBytes;
            sum.ProcessPeakBlocks += own.Blocks;
            sum.ProcessPeakBytes += own.Bytes;
            sum.TracePeakBlocks += trace.Blocks;
            sum.TracePeakBytes += trace.Bytes;
        }

        var row = new StackTotalRow(
            process.Id, new StackId(heap.Stacks[first].StackId), sum.Allocations, sum.AllocatedBytes, sum.Frees,
            sum.FreedBytes, sum.Temporary, sum.TemporaryBytes, sum.TracePeakBlocks, sum.TracePeakBytes,
            sum.ProcessPeakBlocks, sum.ProcessPeakBytes, thread is { } sole ? process.ThreadRows[sole] : null);
        return (row, sum.LiveBlocks, sum.LiveBytes);
    }

    // The only thread that allocated by any of the nodes; null when there were several, and then all of them say who.
    private static int? SoleThread(ProcessHeap heap, int first)
    {
        var isShared = false;
        for (var i = first; i >= 0; i = heap.Stacks[i].NextTwin)
        {
            isShared |= heap.Stacks[i].Marks.Shared || heap.Stacks[i].Marks.Thread != heap.Stacks[first].Marks.Thread;
        }

        for (var i = first; isShared && i >= 0; i = heap.Stacks[i].NextTwin)
        {
            heap.Share(i);
        }

        return isShared ? null : heap.Stacks[first].Marks.Thread;
    }

    private static void ForgetDirt(ProcessHeap heap)
    {
        var kept = 0;
        for (var i = 0; i < heap.DirtyStacks.Count; i++)
        {
            var index = heap.DirtyStacks[i];
            ref var total = ref heap.Stacks[index];
            if (total.StackId == 0)
            {
                heap.DirtyStacks[kept++] = index;
            }
            else
            {
                total.Marks.Dirty = false;
            }
        }

        heap.DirtyStacks.Cut(kept);
    }

    private void FillTimeline(TrackedProcess process, TraceBatch to)
    {
        _points.Clear();
        process.Heap.Timeline.Flush(_points);
        foreach (var point in _points)
        {
            to.Timeline.Add(new TimelineRow(
                process.Id, point.Bucket * _shared.Buckets.BucketNs, point.LiveBlocks, point.LiveBytes,
                point.PeakBytes, point.Allocations, point.AllocatedBytes, point.RssBytes < 0 ? null : point.RssBytes));
        }
    }

    private void AssignThreadRows(TrackedProcess process)
    {
        while (process.ThreadRows.Count < process.Heap.Threads.Count)
        {
            process.ThreadRows.Add(++_threads);
        }
    }

    private static void FillThreads(TrackedProcess process, TraceBatch to)
    {
        for (var i = 0; i < process.Heap.Threads.Count; i++)
        {
            ref var thread = ref process.Heap.Threads[i];
            if (thread.Dirty)
            {
                thread.Dirty = false;
                to.Threads.Add(new ThreadRow(
                    process.ThreadRows[i], process.Id, (int)Math.Min(thread.Tid, int.MaxValue), null,
                    thread.StartMs * 1_000_000L, thread.Allocations, thread.AllocatedBytes));
            }
        }
    }

    private static void FillMappings(TrackedProcess process, TraceBatch to)
    {
        foreach (var module in process.Modules)
        {
            if (module.Dirty)
            {
                module.Dirty = false;
                to.Mappings.Add(new MappingRow(
                    module.Row, process.Id, module.Module, module.Start, module.End, module.Bias, module.LoadNs,
                    module.UnloadNs));
            }
        }
    }

    private static void FillMapped(TrackedProcess process, SnapshotRows to)
    {
        if (process.KnownMapped is not { } mapped)
        {
            return;
        }

        process.ResolveMapped(mayWait: false);
        foreach (var same in mapped.Stacks.GroupBy(stack => stack.StackId))
        {
            var (mappings, bytes) = (same.Sum(stack => stack.Live.Mappings), same.Sum(stack => stack.Live.Bytes));
            if (mappings > 0)
            {
                to.Mapped.Add(new SnapshotRow(process.Id, new StackId(same.Key), mappings, bytes));
            }
        }
    }

    // All leaves that are the same stack together.
    private static void FillMapped(TrackedProcess process, TraceBatch to, bool mayWait)
    {
        if (process.KnownMapped is not { Changed: true } mapped)
        {
            return;
        }

        mapped.Changed = !process.ResolveMapped(mayWait);
        foreach (var same in mapped.TakeChanged())
        {
            to.MappedTotals.Add(new MappedTotalRow(
                process.Id,
                new StackId(same.Key),
                same.Sum(stack => stack.Mappings),
                same.Sum(stack => stack.MappedBytes),
                same.Sum(stack => stack.Unmappings),
                same.Sum(stack => stack.UnmappedBytes),
                same.Sum(stack => stack.AtPeak(mapped.Live.Epoch).Mappings),
                same.Sum(stack => stack.AtPeak(mapped.Live.Epoch).Bytes)));
        }

        to.MappedPeaks.Add(new MappedPeakRow(
            process.Id, mapped.Live.PeakBlocks, mapped.Live.PeakBytes, mapped.Live.PeakMs * 1_000_000L));
    }

    private static void FillBlocks(TrackedProcess process, int mostBlocks, SnapshotRows to)
    {
        var blocks = new List<LiveBlock>((int)Math.Min(process.Heap.Blocks.Count, mostBlocks));
        process.Heap.Blocks.CopyTo(blocks, mostBlocks);
        foreach (var block in blocks.Where(block => !block.IsPools)) // they lie in the others
        {
            to.Blocks.Add(new BlockRow(
                process.Id, block.Address, block.Bytes, new StackId(process.Heap.Stacks[block.Stack].StackId),
                process.ThreadRows[block.Thread], block.BirthMs * 1_000_000L));
        }
    }
}
