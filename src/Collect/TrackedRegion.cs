using System.Globalization;
using NativeHeap.Collect.Stacks;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>One region: its rings' readers and the processes of the fork tree that shares it. For one thread.</summary>
internal sealed class TrackedRegion
{
    private readonly TrackedProcess?[] _processes;
    private readonly IDrainHost _host;
    private readonly ReusedCodeTable _reused;
    private int _lastSlot;
    private uint _signals;
    private readonly RecordingShared _shared;

    /// <summary>A region of which nothing has been read.</summary>
    /// <param name="memory">Owned.</param>
    /// <param name="shared">The recording's.</param>
    /// <param name="host">The recording.</param>
    public TrackedRegion(IRegionMemory memory, RecordingShared shared, IDrainHost host)
    {
        Memory = memory;
        _shared = shared;
        _host = host;
        View = memory.View;
        _processes = new TrackedProcess?[View.Shape.SlotCount];
        Modules = new ModuleTable(View, shared.Registry);
        _reused = new ReusedCodeTable(View, shared.Registry);
        Sampling = new RegionSampling(View, _processes.OfType<TrackedProcess>().Where(process => !process.HasEnded));
        Rings = new RingFeed[View.Shape.RingCount];
        for (var i = 0; i < Rings.Length; i++)
        {
            Rings[i] = new RingFeed(this, i, shared, host);
        }
    }

    public IRegionMemory Memory { get; }

    public RegionView View { get; }

    public ModuleTable Modules { get; }

    public RingFeed[] Rings { get; }

    /// <summary>Which births its processes record.</summary>
    public RegionSampling Sampling { get; }

    /// <summary>Processes that have not ended.</summary>
    public int LiveProcesses { get; private set; }

    /// <summary>The process of a slot; null when there is none, or the number is none.</summary>
    public TrackedProcess? ProcessAt(uint slot)
    {
        if (slot >= (uint)_processes.Length)
        {
            return null;
        }

        var process = _processes[slot];
        return process is { HasEnded: false } ? process
            : View.SlotState((int)slot) == SlotState.Live ? _host.Discover(this, (int)slot) : null;
    }

    /// <summary>Who had a slot last, if anybody ever had.</summary>
    public TrackedProcess? LastAt(int slot) => _processes[slot];

    /// <summary>Takes a process in.</summary>
    public void Add(TrackedProcess process)
    {
        _processes[process.Slot] = process;
        _lastSlot = Math.Max(_lastSlot, process.Slot);
        LiveProcesses++;
        Sampling.Add(process);
    }

    /// <summary>Pauses recording, or takes it up again, and notes it with every process.</summary>
    /// <param name="pause">Which of the two.</param>
    /// <param name="timeNs">Since the trace's start.</param>
    /// <returns>False when it was so already, or recording has been stopped.</returns>
    public bool Pause(bool pause, long timeNs)
    {
        if (View.Control != (pause ? Control.Record : Control.Pause))
        {
            return false;
        }

        View.Control = pause ? Control.Pause : Control.Record;
        View.IsPaused = pause;
        DiscoverAll();
        var seconds = (timeNs / 1e9).ToString("0.000", CultureInfo.InvariantCulture);
        foreach (var process in _processes.OfType<TrackedProcess>().Where(process => !process.HasEnded))
        {
            process.WasPaused = true;
            process.AddNote(pause ? $"recording was paused from {seconds} s" : $"and taken up again at {seconds} s");
        }

        return true;
    }

    /// <summary>Has births recorded at another rate from now on, and notes it with every process.</summary>
    /// <param name="mean">Mean bytes between samples; 0: all births.</param>
    /// <param name="why">What follows the moment in the note.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    /// <param name="timeNs">The same since the trace's start.</param>
    /// <returns>The processes; none when it was so already, or recording has been stopped.</returns>
    public IReadOnlyList<TrackedProcess> Sample(ulong mean, string why, ulong clockNs, long timeNs)
    {
        if (View.Control == Control.Stop)
        {
            return [];
        }

        DiscoverAll();
        if (!Sampling.Change(mean, clockNs))
        {
            return [];
        }

        List<TrackedProcess> processes = [.. _processes.OfType<TrackedProcess>().Where(process => !process.HasEnded)];
        var note = string.Create(
            CultureInfo.InvariantCulture,
            $"{(mean == 0 ? "every call was recorded" : $"samples were recorded, one in {mean} bytes on average,")} from {timeNs / 1e9:0.000} s{why}");
        processes.ForEach(process => process.AddNote(note));
        return processes;
    }

    /// <summary>Whether a process of it got the signal for a snapshot since the last call.</summary>
    public bool TakeSignals()
    {
        var wanted = View.SnapshotsWanted;
        var any = wanted != _signals;
        _signals = wanted;
        return any;
    }

    /// <summary>Reads what the shim has said about modules and reused code since the last time.</summary>
    public void RefreshModules()
    {
        Modules.Refresh(ProcessAt, _shared);
        _reused.Refresh(ProcessAt);
    }

    /// <summary>Finds children that have a slot and have not written anything.</summary>
    public void DiscoverAll()
    {
        // Shims take the first free slot, and only we free one: behind the last that was ever used, the first free one
        // is the end. Slots beyond are not touched, or each region would get memory for all of them.
        for (var slot = 0; slot < _processes.Length; slot++)
        {
            var process = ProcessAt((uint)slot);
            if (process is null && slot > _lastSlot && View.SlotState(slot) == SlotState.Free)
            {
                break;
            }
        }
    }

    /// <summary>Copies what the shim counted in a process's slot.</summary>
    public void ReadSlot(TrackedProcess process)
    {
        var slot = View.ReadSlot(process.Slot);
        if (slot.MissedCalls != process.MissedCalls)
        {
            process.MissedCalls = Math.Min(slot.MissedCalls, long.MaxValue / 4);
            process.Heap.Changed = true;
        }

        if (View.UnrecordedChildren > 0 && process is { Slot: 0, HasUnrecordedChildren: false })
        {
            process.HasUnrecordedChildren = true;
            process.AddNote("some of the processes that were forked are not recorded: there was no room for so many");
        }

        process.SeeSignal((SignalState)slot.SignalState);
        if (slot.OtherNamespaces != 0)
        {
            process.SeeOtherNamespaces();
        }

        process.WasOff = (OffReason)slot.OffReason is not (OffReason.None or OffReason.Detached);
    }

    /// <summary>Gives the rings and the slot of an ended process back. Everything it wrote has been read.</summary>
    public void Retire(TrackedProcess process)
    {
        LiveProcesses--;
        var own = View.Shape.RingCount - View.Shape.SharedRingCount;
        for (var i = 0; i < own; i++)
        {
            var reader = Rings[i].Reader;
            var owner = reader.OwnerTid;
            if (owner != 0 && reader.OwnerSlot == (uint)process.Slot)
            {
                reader.Reclaim(owner, (uint)process.Slot);
            }
        }

        foreach (var ring in Rings)
        {
            ring.Forget(process);
        }

        if (process.Slot != 0)
        {
            View.FreeSlot(process.Slot);
        }
    }

    /// <summary>Unmaps the region when nobody else has it any more.</summary>
    /// <returns>True when it is gone.</returns>
    public bool TryRelease()
    {
        if (Memory.IsMappedByOthers())
        {
            return false;
        }

        Release();
        return true;
    }

    /// <summary>Unmaps the region.</summary>
    public void Release()
    {
        Sampling.Dispose();
        Memory.Dispose();
    }
}
