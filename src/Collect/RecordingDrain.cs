using NativeHeap.Collect.Heap;
using NativeHeap.Model;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>The processes and regions of a recording, and the passes over their rings. For one thread.</summary>
internal sealed class RecordingDrain : IDrainHost, IDisposable
{
    private const ulong PieceBytes = 8192; // some 400 events

    private const int MostGenerations = 64; // of children found at once, each before its parent

    private readonly RecordingShared _shared;
    private readonly List<RingFeed> _ready = [];
    private readonly List<RingFeed> _drained = []; // in the last pass
    private readonly List<TrackedProcess> _active = [];
    private readonly List<TrackedProcess> _ending = [];
    private readonly List<TrackedProcess> _finished = [];
    private readonly List<TrackedRegion> _idle = [];
    private readonly Dictionary<ProcessId, TrackedProcess> _byId = [];
    private readonly Dictionary<int, int> _images = [];
    private long _restBytes; // live in processes that are not active
    private long _ghostBytes; // the most that processes had which ended in this pass
    private readonly HashSet<(TrackedRegion Region, int Slot)> _discovering = [];
    private long _strayEvents;

    public RecordingDrain(RecordingShared shared)
    {
        _shared = shared;
    }

    /// <summary>A forked child was found.</summary>
    public event Action<TrackedProcess>? Found;

    /// <summary>Buckets have become twice as wide.</summary>
    public event Action? Widened;

    /// <summary>Regions that may have something to read.</summary>
    public List<TrackedRegion> Regions { get; } = [];

    /// <summary>Processes whose rows may change.</summary>
    public List<TrackedProcess> Processes { get; } = [];

    /// <summary>Every process there ever was.</summary>
    public List<TrackedProcess> All { get; } = [];

    /// <summary>Bounds of the peak over all processes.</summary>
    public PeakInterval Interval { get; } = new();

    /// <summary>Events that must have been and did not come, over all processes.</summary>
    public long LostEvents => _strayEvents + Regions.Sum(Strays) + All.Sum(process => process.LostEvents + process.Faults);

    /// <summary>Rows that the next commit has at least.</summary>
    public long PendingRows => Processes.Sum(process => (long)process.Heap.Cohorts.Count + process.Heap.Histograms.Count);

    public TrackedProcess? Find(ProcessId id) => _byId.GetValueOrDefault(id);

    /// <summary>Whether a ring that was read in the last pass is filling again: too little time to sleep.</summary>
    public bool IsBehind => _drained.Exists(ring => ring.Reader.IsFilling);

    /// <summary>Takes a region over; the process of its slot 0 is new.</summary>
    public TrackedProcess Attach(IRegionMemory memory, ProcessIntroduction introduction)
    {
        foreach (var known in Regions)
        {
            known.DiscoverAll(); // the pid may be a forked child's that has not allocated
        }

        var previous = Processes.FindLast(process => process.Pid == introduction.Pid && !process.HasEnded);
        var origin = introduction.Origin;
        var attached = origin == ProcessOrigin.Attach;
        if (previous is not null)
        {
            origin = origin == ProcessOrigin.Spawn ? ProcessOrigin.Exec : origin;
            var ending = attached ? ProcessEnding.Detached : ProcessEnding.Exec;
            var end = new ProcessEnd(ending, _shared.Relative(introduction.StartNs), null, null);
            NoteEnd(previous.Id, end);
            Pass(); // the old image's last events, before any of the new one
        }

        var parent = introduction.ParentPid is { } parentPid
            ? Processes.FindLast(process => process.Pid == parentPid && !process.HasEnded)
            : null;
        memory.View.ClockNs = Math.Max(_shared.ClockNs, memory.View.ClockNs);
        var region = new TrackedRegion(memory, _shared, this);
        Regions.Add(region);
        var process = new TrackedProcess(region, 0, parent, attached ? HeapBefore.Earlier : HeapBefore.None, _shared)
        {
            Id = new ProcessId(All.Count + 1),
            Pid = introduction.Pid,
            Image = NextImage(introduction.Pid, previous is not null),
            ParentPid = introduction.ParentPid,
            Origin = origin,
            Command = introduction.Command,
            Executable = introduction.Executable,
            StartNs = _shared.Relative(introduction.StartNs),
        };
        Add(process);
        return process;
    }

    /// <inheritdoc/>
    public TrackedProcess? Discover(TrackedRegion region, int slot)
    {
        // Slot 0 said hello; a child's parent has a slot of its own, and was there first.
        if (slot == 0 || !_discovering.Add((region, slot)))
        {
            return null;
        }

        var record = region.View.ReadSlot(slot);
        var parent = ParentOf(region, record);
        _discovering.Remove((region, slot));
        if (record.Pid is 0 or > int.MaxValue || parent is null)
        {
            return null;
        }

        var process = new TrackedProcess(region, slot, parent, HeapBefore.Inherited, _shared)
        {
            Id = new ProcessId(All.Count + 1),
            Pid = (int)record.Pid,
            Image = NextImage((int)record.Pid, again: false),
            ParentPid = parent.Pid,
            Origin = ProcessOrigin.Fork,
            Command = parent.Command,
            Executable = parent.Executable,
            StartNs = _shared.Relative(record.StartNs),
            WasPaused = region.View.Control == Control.Pause,
        };
        Add(process);
        Found?.Invoke(process);
        return process;
    }

    /// <inheritdoc/>
    public void Activate(TrackedProcess process)
    {
        var heap = process.Heap;
        if (heap.LastPass == _shared.Pass)
        {
            return;
        }

        heap.LastPass = _shared.Pass;
        heap.Changed = true;
        if (!process.IsActive)
        {
            process.IsActive = true;
            _active.Add(process);
            _restBytes -= SumOf(process);
        }
    }

    /// <inheritdoc/>
    public void WidenBuckets(uint timeMs)
    {
        while (_shared.Buckets.Of(timeMs) >= BucketClock.MostBuckets)
        {
            WidenBuckets();
        }
    }

    /// <summary>Makes buckets twice as wide.</summary>
    public void WidenBuckets()
    {
        _shared.Buckets.Double();
        foreach (var process in Processes)
        {
            process.Heap.HalveBuckets();
        }

        Widened?.Invoke();
    }

    /// <summary>Notes how a process ended; what it wrote up to now is read by the next pass.</summary>
    public bool NoteEnd(ProcessId id, ProcessEnd end)
    {
        if (Find(id) is not { End: null } process)
        {
            return false;
        }

        process.End = end;
        process.Heap.Changed = true;
        _ending.Add(process);
        return true;
    }

    /// <summary>Reads everything that is in the rings now.</summary>
    /// <returns>True when there was anything.</returns>
    public bool Pass()
    {
        // Only ends that were known before the heads were read: whatever those processes wrote lies before the heads.
        var ends = _ending.Count;
        _shared.Pass++;
        foreach (var region in Regions)
        {
            RefreshHeads(region);
        }

        var any = _ready.Count != 0;
        Drain();
        _drained.Clear();
        _drained.AddRange(_ready);
        _ready.Clear();
        foreach (var process in _active)
        {
            process.ResolveNew();
        }

        for (var i = 0; i < ends; i++)
        {
            Finish(_ending[i]);
        }

        _ending.RemoveRange(0, ends);
        EndPass();
        foreach (var region in Regions)
        {
            region.Sampling.Advance(_shared.ClockNs);
        }

        return any;
    }

    /// <summary>Processes that have finished since the last call.</summary>
    public List<TrackedProcess> TakeFinished()
    {
        var finished = _finished.ToList();
        _finished.Clear();
        return finished;
    }

    /// <summary>Lets the bounds of peaks catch up.</summary>
    public void Settle()
    {
        for (var i = 0; i <= StreamSums.History; i++)
        {
            Pass();
        }
    }

    /// <summary>Frees the memory of processes whose last rows were handed over, and regions that nobody has any more.</summary>
    public void ForgetEnded()
    {
        foreach (var process in Processes.Where(process => process.HasEnded))
        {
            process.Dispose();
        }

        Processes.RemoveAll(process => process.HasEnded);
        _drained.Clear(); // they may be unmapped below
        _idle.AddRange(Regions.Where(region => region.LiveProcesses == 0 && !_idle.Contains(region)));
        foreach (var region in _idle.Where(region => region.LiveProcesses == 0 && region.TryRelease()).ToList())
        {
            _strayEvents += Strays(region);
            Regions.Remove(region);
            _idle.Remove(region);
        }

        _idle.RemoveAll(region => region.LiveProcesses != 0);
    }

    /// <summary>Unmaps everything; nothing can be read any more.</summary>
    public void ReleaseRegions()
    {
        _drained.Clear();
        foreach (var region in Regions)
        {
            _strayEvents += Strays(region);
            region.Release();
        }

        Regions.Clear();
    }

    public void Dispose()
    {
        foreach (var process in Processes)
        {
            process.Dispose();
        }

        Processes.Clear();
    }

    private static long Strays(TrackedRegion region) => region.Rings.Sum(ring => ring.Strays);

    private static long SumOf(TrackedProcess process) => process.Heap.Streams.Sum(stream => stream.Sum);

    private void RefreshHeads(TrackedRegion region)
    {
        foreach (var ring in region.Rings)
        {
            if (ring.Reader.Refresh())
            {
                _ready.Add(ring);
            }
            else
            {
                ring.NoteFault();
            }
        }
    }

    // What is in the rings was written in the same time. They are read in turn, piece by piece, each as far as the others, so
    // that few events are read before one of another ring that has the number before theirs, and have to wait for it.
    private void Drain()
    {
        var most = _ready.Count > 1 ? _ready.Max(ring => ring.Reader.Available) : 0;
        for (var left = (most / PieceBytes) + 1; left > 0; left--)
        {
            foreach (var ring in _ready)
            {
                if (ring.Reader.Available / left is var piece and > 0)
                {
                    ring.Drain(piece);
                }
            }
        }
    }

    // The parent's slot may have another owner by now, even the child or a child of the child: who had it last then.
    private TrackedProcess? ParentOf(TrackedRegion region, in SlotRecord child)
    {
        if (child.ParentSlot >= (uint)region.View.Shape.SlotCount)
        {
            return region.LastAt(0);
        }

        var slot = (int)child.ParentSlot;
        var isThere = region.View.ReadSlot(slot).Pid == child.ParentPid && _discovering.Count <= MostGenerations;
        var parent = isThere ? region.ProcessAt(child.ParentSlot) : null;
        return parent ?? region.LastAt(slot) ?? region.LastAt(0);
    }

    private int NextImage(int pid, bool again)
    {
        var image = again ? _images.GetValueOrDefault(pid) + 1 : 0;
        _images[pid] = image;
        return image;
    }

    private void Add(TrackedProcess process)
    {
        process.Region.Add(process);
        Processes.Add(process);
        All.Add(process);
        _byId.Add(process.Id, process);
        if (process.Region.Sampling.Mean is not 0 and var mean)
        {
            _shared.Sampling.Add(new SamplingRow(process.Id, process.StartNs, (long)mean, SamplingReasons.Start));
        }
    }

    // Everything the process wrote has been read.
    private void Finish(TrackedProcess process)
    {
        if (process.Heap.Parked != 0)
        {
            Activate(process);
            process.Heap.PassOverGaps();
        }

        // The number of a call that detaching came in the midst of is given to nobody.
        process.KnownMapped?.PassOverGaps(areLost: process.End?.Ending != ProcessEnding.Detached);
        process.Region.ReadSlot(process);
        process.Region.RefreshModules();
        process.Heap.Changed = true;
        process.Heap.FreezeTraceShare(process.CommittedTraceEpoch);
        process.EndEpoch = _shared.Live.Epoch;
        SettleTrace(process);
        SettleBounds(process);
        LeaveTrace(process);
        process.HasEnded = true;
        _shared.Live.Move(-process.Heap.Live.Blocks, -process.Heap.Live.Bytes);
        process.Region.Retire(process);
        _finished.Add(process);
    }

    // The lower bound of the trace's peak lags behind; once the process is out of the sum it could not catch up.
    private void SettleTrace(TrackedProcess process)
    {
        Activate(process);
        if (_active.Any(active => active.Heap.Parked != 0))
        {
            return;
        }

        // What others do after the last pass is not known; the process itself does nothing any more.
        var isAlone = Processes.All(other => other == process || other.HasEnded);
        var last = isAlone ? _shared.Pass : _shared.Pass - 1;
        foreach (var active in _active)
        {
            PeakInterval.Advance(active.Heap.Streams, isAlone ? last + 1 : _shared.Pass);
        }

        for (var settled = _shared.Pass - PeakInterval.Lag; settled <= last; settled++)
        {
            Interval.TakeLow(Low(settled));
        }
    }

    // The process's own bounds need no more passes to settle: nothing comes any more.
    private void SettleBounds(TrackedProcess process)
    {
        var heap = process.Heap;
        process.LastHigh = PeakInterval.HighOf(heap.Streams, _shared.Pass);
        heap.Interval.TakeHigh(process.LastHigh);
        PeakInterval.Advance(heap.Streams, _shared.Pass + 1);
        for (var settled = _shared.Pass - PeakInterval.Lag; settled <= _shared.Pass; settled++)
        {
            heap.Interval.TakeLow(PeakInterval.LowOf(heap.Streams, settled).Total);
        }
    }

    // Its bytes count in the trace's upper bound until its end was known, which was before the heads of this pass.
    private void LeaveTrace(TrackedProcess process)
    {
        process.IsActive = false;
        _active.Remove(process);
        _ghostBytes += process.LastHigh;
    }

    private long Low(long settled)
    {
        var floor = _restBytes;
        long rise = 0;
        foreach (var process in _active)
        {
            var low = PeakInterval.LowOf(process.Heap.Streams, settled);
            floor += low.Floor;
            rise = Math.Max(rise, low.Rise);
        }

        return floor + rise;
    }

    private void EndPass()
    {
        var pass = _shared.Pass;
        var high = _restBytes + _ghostBytes;
        var certain = true;
        foreach (var process in _active)
        {
            var heap = process.Heap;
            PeakInterval.Advance(heap.Streams, pass);
            var own = PeakInterval.HighOf(heap.Streams, pass);
            heap.Interval.TakeHigh(own);
            if (heap.Parked == 0)
            {
                heap.Interval.TakeLow(PeakInterval.LowOf(heap.Streams, pass - PeakInterval.Lag).Total);
            }

            heap.Changed = true;
            certain &= heap.Parked == 0;
            high += own;
        }

        Interval.TakeHigh(high);
        if (certain)
        {
            Interval.TakeLow(Low(pass - PeakInterval.Lag));
        }

        _ghostBytes = 0;
        RestQuiet(pass);
    }

    private void RestQuiet(long pass)
    {
        for (var i = _active.Count - 1; i >= 0; i--)
        {
            var process = _active[i];
            if (pass - process.Heap.LastPass > StreamSums.History && process.Heap.Parked == 0)
            {
                _restBytes += SumOf(process);
                process.IsActive = false;
                _active.RemoveAt(i);
            }
        }
    }
}
