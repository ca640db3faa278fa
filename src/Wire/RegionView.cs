namespace NativeHeap.Wire;

/// <summary>
/// A mapped region, read with the suspicion that a target deserves: sizes and offsets are taken once and checked
/// against the mapping, after that nothing the target writes can lead a read or a write out of it.
/// Does not own the memory. Methods may be called from any thread unless they say otherwise.
/// </summary>
public sealed unsafe class RegionView
{
    private readonly byte* _start;
    private readonly ulong _bytes;
    private readonly RegionRecord* _region;
    private readonly RingRecord* _rings;
    private readonly SlotRecord* _slots;
    private readonly ModuleRecord* _modules;
    private readonly NodeRecord* _nodes;
    private readonly ReusedCodeRecord* _reused;
    private readonly byte* _kept; // null: there is no room for it
    private readonly RingReader[] _readers;

    /// <summary>Checks the header and every ring's place.</summary>
    /// <param name="start">The mapping, 8-byte aligned; stays mapped while the view is used.</param>
    /// <param name="mappedBytes">Its size.</param>
    /// <exception cref="RegionFormatException">The header does not describe a region of that size.</exception>
    public RegionView(byte* start, ulong mappedBytes)
    {
        if (mappedBytes < RegionRecord.StatedSize)
        {
            throw new RegionFormatException($"{mappedBytes} bytes are less than a header");
        }

        _start = start;
        _bytes = mappedBytes;
        _region = (RegionRecord*)start;
        var header = *_region; // one copy: what is checked is what is used
        CheckHeader(header, mappedBytes);
        Shape = new RegionShape(
            Number(header.RingCount), Number(header.SharedRingCount), Number(header.SlotCount),
            Number(header.ModuleCapacity), Number(header.NodeCapacity), Number(header.ReusedCapacity));
        Shape.Check();
        SampleBytes = header.SampleBytes;
        RecordsMappings = header.RecordsMappings != 0;
        _rings = (RingRecord*)Part(header.RingOffset, Shape.RingCount, RingRecord.StatedSize, "rings");
        _slots = (SlotRecord*)Part(header.SlotOffset, Shape.SlotCount, SlotRecord.StatedSize, "slots");
        _modules = (ModuleRecord*)Part(header.ModuleOffset, Shape.ModuleCapacity, ModuleRecord.StatedSize, "modules");
        _nodes = (NodeRecord*)Part(header.NodeOffset, Shape.NodeCapacity, NodeRecord.StatedSize, "nodes");
        _reused = (ReusedCodeRecord*)Part(
            header.ReusedOffset, Shape.ReusedCapacity, ReusedCodeRecord.StatedSize, "reused code");
        if (header.CopyOffset != 0)
        {
            Part(header.CopyOffset, 1, (int)CopyWindow.WholeBytes, "copy window");
            CopyOffset = header.CopyOffset;
        }

        if (header.KeptOffset != 0)
        {
            _kept = Part(header.KeptOffset, 1, (int)WireConstants.KeptBytes, "bits of kept blocks");
        }

        _readers = new RingReader[Shape.RingCount];
        for (var i = 0; i < _readers.Length; i++)
        {
            _readers[i] = Reader(i);
        }
    }

    /// <summary>Limits of every index.</summary>
    public RegionShape Shape { get; }

    /// <summary>Mean bytes between samples at the beginning; 0: exact.</summary>
    public ulong SampleBytes { get; }

    /// <summary>Whether mappings are recorded, too.</summary>
    public bool RecordsMappings { get; }

    /// <summary>Whether there are bits for blocks that are kept while births are sampled.</summary>
    public bool HasKeptBits => _kept != null;

    /// <summary>Where in the region a <see cref="CopyWindow"/> lies; 0: it has none.</summary>
    public ulong CopyOffset { get; }

    /// <summary>Nodes that may be read: what the shim has handed out, at most the capacity.</summary>
    public int NodeCount => (int)Math.Min(Volatile.Read(ref _region->NodeCount), (uint)Shape.NodeCapacity);

    /// <summary>Module records that may be read; one of them may still be <see cref="ModuleState.Empty"/>.</summary>
    public int ModuleCount => (int)Math.Min(Volatile.Read(ref _region->ModuleCount), (uint)Shape.ModuleCapacity);

    /// <summary>True when the shim had modules that found no room.</summary>
    public bool ModulesOverflowed => Volatile.Read(ref _region->ModuleCount) > (uint)Shape.ModuleCapacity;

    /// <summary>Records of reused code that may be read; some may not be filled in yet.</summary>
    public int ReusedCount => (int)Math.Min(Volatile.Read(ref _region->ReusedCount), (uint)Shape.ReusedCapacity);

    /// <summary>Times a thread waited for a shared ring.</summary>
    public uint LockWaits => Volatile.Read(ref _region->LockWaits);

    /// <summary>CLOCK_MONOTONIC, written by the collector every few ms: event time and heartbeat.</summary>
    public ulong ClockNs
    {
        get => Volatile.Read(ref _region->ClockNs);
        set => Volatile.Write(ref _region->ClockNs, value);
    }

    /// <summary>What the targets are told to do.</summary>
    public Control Control
    {
        get => (Control)Volatile.Read(ref _region->Control);
        set => Volatile.Write(ref _region->Control, (uint)value);
    }

    /// <summary>Whether somebody wants nothing recorded: said to whoever comes after the collector, which has told the
    /// targets to stop by then.</summary>
    public bool IsPaused
    {
        get => Volatile.Read(ref _region->Paused) != 0;
        set => Volatile.Write(ref _region->Paused, value ? 1u : 0);
    }

    /// <summary>Tells targets which births they record from now on.</summary>
    /// <param name="mean">Mean bytes between samples; 0: all.</param>
    /// <param name="kept">Whether blocks live that were recorded because all were.</param>
    /// <param name="bits">The logarithm of how many bits tell them; 0: none do, and every free is told.</param>
    public void Sample(ulong mean, bool kept, int bits) => Volatile.Write(
        ref _region->Sampling,
        (mean & WireConstants.SamplingMean) | (kept ? WireConstants.SamplingKept : 0)
            | ((ulong)bits << (int)WireConstants.SamplingBitsShift));

    /// <summary>Takes all marks of kept blocks away.</summary>
    /// <param name="bits">The logarithm of how many are in use.</param>
    public void ClearKept(int bits) => new Span<byte>(_kept, 1 << (bits - 3)).Clear();

    /// <summary>Marks that a block of that place may be a kept one, or that none is.</summary>
    /// <param name="place">Below the number of bits.</param>
    /// <param name="isKept">Which of the two.</param>
    public void MarkKept(ulong place, bool isKept)
    {
        var at = _kept + (place / 8);
        var bit = 1 << (int)(place % 8);
        Volatile.Write(ref *at, (byte)(isKept ? *at | bit : *at & ~bit));
    }

    /// <summary>Asks the process of slot 0 to have a .NET runtime wait for the collector. Before it is handed over.</summary>
    public void AwaitRuntime() => _region->AwaitsRuntime = 1;

    /// <summary>Asks processes to wait for a heap-check. Before the region is handed over.</summary>
    /// <param name="checks">Bits of <see cref="CheckReason"/>.</param>
    /// <param name="parkSignal">The signal on which their threads park; 0: none.</param>
    public void AskForChecks(uint checks, int parkSignal)
    {
        _region->Checks = checks;
        _region->ParkSignal = (uint)parkSignal;
    }

    /// <summary>Asks processes to stand in for a signal. Before the region is handed over.</summary>
    /// <param name="signal">Its number; 0: none.</param>
    public void AskForSignal(int signal) => _region->SnapshotSignal = (uint)signal;

    /// <summary>Forked children that found no slot.</summary>
    public uint UnrecordedChildren => Volatile.Read(ref _region->UnrecordedChildren);

    /// <summary>How often a process got that signal; grows, and wraps around.</summary>
    public uint SnapshotsWanted => Volatile.Read(ref _region->SnapshotsWanted);

    /// <summary>Number of the heap-check that a process waits for; 0: it has never waited.</summary>
    public uint CheckWanted(int slot) => Volatile.Read(ref SlotAt(slot)->CheckWanted);

    /// <summary>Lets a process go on that waits for a heap-check.</summary>
    public void EndCheck(int slot, uint number)
    {
        Volatile.Write(ref SlotAt(slot)->CheckDone, number);
        Futex.WakeAll(&SlotAt(slot)->CheckDone);
    }

    /// <summary>Tells a process what came of what it asked for, before <see cref="EndCheck"/>.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="result">What came of it.</param>
    /// <param name="exitCode">With which it ends, when it wants to end because of leaks.</param>
    /// <param name="sums">Bytes and blocks that are definitely, indirectly, possibly lost, and reachable.</param>
    public void AnswerCheck(int slot, CheckResult result, int exitCode, ReadOnlySpan<long> sums)
    {
        var record = SlotAt(slot);
        record->CheckExitCode = (uint)exitCode;
        record->DefiniteBytes = (ulong)sums[0];
        record->DefiniteBlocks = (ulong)sums[1];
        record->IndirectBytes = (ulong)sums[2];
        record->IndirectBlocks = (ulong)sums[3];
        record->PossibleBytes = (ulong)sums[4];
        record->PossibleBlocks = (ulong)sums[5];
        record->ReachableBytes = (ulong)sums[6];
        record->ReachableBlocks = (ulong)sums[7];
        Volatile.Write(ref record->CheckResult, (uint)result);
    }

    /// <summary>Begins a round of parking: threads that get the signal park from now on.</summary>
    /// <returns>The round's number.</returns>
    public uint BeginParking(int slot)
    {
        Volatile.Write(ref SlotAt(slot)->Parked, 0);
        return Interlocked.Increment(ref SlotAt(slot)->ParkWanted);
    }

    /// <summary>Threads that have parked in this round.</summary>
    public uint Parked(int slot) => Volatile.Read(ref SlotAt(slot)->Parked);

    /// <summary>Lets parked threads go on.</summary>
    public void EndParking(int slot, uint round)
    {
        Volatile.Write(ref SlotAt(slot)->ParkDone, round);
        Futex.WakeAll(&SlotAt(slot)->ParkDone);
    }

    /// <summary>The signal on which a process's threads park; 0: none.</summary>
    public int ParkSignal(int slot) => (int)Math.Min(Volatile.Read(ref SlotAt(slot)->ParkSignal), int.MaxValue);

    /// <summary>Asks a process whose threads have parked for a copy of itself.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="round">Of parking.</param>
    public void AskForCopy(int slot, uint round)
    {
        Volatile.Write(ref SlotAt(slot)->CopyWanted, round);
        Futex.WakeAll(&SlotAt(slot)->ParkDone);
    }

    /// <summary>What came of it: null while nothing has, 0 when there is a copy, else why there is none (an errno; -1 for
    /// what is none).</summary>
    public int? CopyResult(int slot, uint round)
    {
        var record = SlotAt(slot);
        return Volatile.Read(ref record->CopyDone) != round ? null
            : record->CopyPid != 0 ? 0
            : record->CopyError is > 0 and < 4096 and var error ? (int)error : -1;
    }

    /// <summary>The robust mutex's 48 bytes, for whoever sets it up.</summary>
    public byte* Owner => (byte*)&_region->Owner;

    /// <summary>The word producers look at to know whether to wake the collector.</summary>
    public uint* CollectorSleeping => &_region->CollectorSleeping;

    /// <summary>The reader of one ring. Each is for one thread.</summary>
    public RingReader Ring(int index) => _readers[index];

    /// <summary>A copy of a process slot.</summary>
    /// <param name="index">0 to <see cref="RegionShape.SlotCount"/> - 1.</param>
    public SlotRecord ReadSlot(int index) => *SlotAt(index);

    /// <summary>Why a slot's process records no more, by its own word.</summary>
    public OffReason OffReason(int index) => (OffReason)Volatile.Read(ref SlotAt(index)->OffReason);

    /// <summary>A slot's state alone, with acquire order: what was stored before it can be read after it.</summary>
    public SlotState SlotState(int index) => (SlotState)Volatile.Read(ref SlotAt(index)->State);

    /// <summary>Gives the slot of a process that has ended and is drained to the next fork.</summary>
    public void FreeSlot(int index)
    {
        var slot = SlotAt(index);
        slot->OffReason = 0;
        slot->MissedCalls = 0;
        slot->CutRingCount = 0;
        slot->CheckWanted = slot->CheckDone = 0;
        slot->SignalState = slot->OtherNamespaces = 0;
        slot->ParkWanted = slot->ParkDone = slot->Parked = 0;
        slot->CopyWanted = slot->CopyTaken = slot->CopyDone = slot->CopyPid = slot->CopyError = 0;
        Volatile.Write(ref slot->State, (uint)Wire.SlotState.Free);
    }

    /// <summary>A copy of a module record; false while it is claimed and not filled in. Lengths are cut to the arrays.</summary>
    /// <param name="index">0 to <see cref="ModuleCount"/> - 1.</param>
    /// <param name="module">The copy.</param>
    public bool TryReadModule(int index, out ModuleRecord module)
    {
        Bound(index, Shape.ModuleCapacity);
        var state = (ModuleState)Volatile.Read(ref _modules[index].State);
        module = default;
        if (state is not (ModuleState.Loaded or ModuleState.Unloaded))
        {
            return false;
        }

        module = _modules[index];
        module.State = (uint)state;
        module.PathLength = Math.Min(module.PathLength, (ushort)512);
        module.BuildIdLength = Math.Min(module.BuildIdLength, (ushort)32);
        return true;
    }

    /// <summary>A copy of a node; false when no such node can be. Its parent is smaller than it, or it is refused.</summary>
    public bool TryReadNode(uint index, out ulong pc, out uint parent)
    {
        pc = 0;
        parent = 0;
        if (index == 0 || index >= (uint)NodeCount)
        {
            return false;
        }

        pc = _nodes[index].Pc;
        parent = _nodes[index].Parent;
        return parent < index;
    }

    /// <summary>A copy of a record of reused code; false while it is claimed and not filled in.</summary>
    /// <param name="index">0 to <see cref="ReusedCount"/> - 1.</param>
    /// <param name="reused">The copy.</param>
    public bool TryReadReused(int index, out ReusedCodeRecord reused)
    {
        Bound(index, Shape.ReusedCapacity);
        var pc = Volatile.Read(ref _reused[index].Pc);
        reused = pc == 0 ? default : _reused[index];
        reused.Pc = pc;
        return pc != 0;
    }

    /// <summary>The header, for whoever plays the target.</summary>
    public RegionRecord* Header => _region;

    /// <summary>A ring's header, for whoever plays the target.</summary>
    public RingRecord* RingAt(int index)
    {
        Bound(index, Shape.RingCount);
        return _rings + index;
    }

    /// <summary>A slot, for whoever plays the target.</summary>
    public SlotRecord* SlotAt(int index)
    {
        Bound(index, Shape.SlotCount);
        return _slots + index;
    }

    /// <summary>A module record, for whoever plays the target.</summary>
    public ModuleRecord* ModuleAt(int index)
    {
        Bound(index, Shape.ModuleCapacity);
        return _modules + index;
    }

    /// <summary>A record of reused code, for whoever plays the target.</summary>
    public ReusedCodeRecord* ReusedAt(int index)
    {
        Bound(index, Shape.ReusedCapacity);
        return _reused + index;
    }

    /// <summary>A node, for whoever plays the target.</summary>
    public NodeRecord* NodeAt(int index)
    {
        Bound(index, Shape.NodeCapacity);
        return _nodes + index;
    }

    private static void CheckHeader(in RegionRecord header, ulong mappedBytes)
    {
        if (header.Magic != WireConstants.RegionMagic)
        {
            throw new RegionFormatException($"magic 0x{header.Magic:x} is no region's");
        }

        if (header.Version != WireConstants.WireVersion)
        {
            throw new RegionFormatException($"wire version {header.Version} is not {WireConstants.WireVersion}");
        }

        if (header.RegionBytes > mappedBytes)
        {
            throw new RegionFormatException($"{header.RegionBytes} bytes are said, {mappedBytes} are mapped");
        }
    }

    private static int Number(uint value) => value <= int.MaxValue ? (int)value : -1;

    private static void Bound(int index, int count)
    {
        if ((uint)index >= (uint)count)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"not below {count}");
        }
    }

    private byte* Part(ulong offset, int count, int size, string name)
    {
        // Counts and sizes are far too small for the product to overflow.
        var bytes = (ulong)count * (ulong)size;
        if (offset % 8 != 0 || offset < RegionRecord.StatedSize || offset > _bytes || bytes > _bytes - offset)
        {
            throw new RegionFormatException($"{name} at {offset} do not fit into {_bytes} bytes");
        }

        return _start + offset;
    }

    private RingReader Reader(int index)
    {
        var ring = _rings + index;
        var offset = ring->DataOffset;
        var capacity = ring->Capacity;
        if (!ulong.IsPow2(capacity) || capacity < 64 || capacity > _bytes)
        {
            throw new RegionFormatException($"ring {index}: a capacity of {capacity} cannot be");
        }

        if (offset % 8 != 0 || offset < RegionRecord.StatedSize || offset > _bytes - capacity)
        {
            throw new RegionFormatException($"ring {index}: its data at {offset} do not fit into {_bytes} bytes");
        }

        return new RingReader(ring, _start + offset, capacity);
    }
}
