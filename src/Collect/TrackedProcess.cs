using System.Globalization;
using NativeHeap.Collect.Heap;
using NativeHeap.Collect.Mappings;
using NativeHeap.Collect.Stacks;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>One process image of the recording. For one thread.</summary>
internal sealed class TrackedProcess : IDisposable
{
    private readonly Dictionary<int, int> _streamByRing = [];
    private long _cutAllocations;
    private SignalState _signalSeen;
    private bool _hasOtherNamespaces;
    private bool _isDisposed;
    private readonly Dictionary<int, int> _firstByStack = [];
    private readonly List<int> _cut = []; // totals whose stacks lack frames
    private readonly List<int> _waiting = []; // totals whose stacks could not be found when they were new
    private int _looked; // totals below were looked at once at least
    private ProcessSuppressions? _suppressions;
    private MappedSpace? _mapped;
    private readonly StackRegistry _registry;
    private readonly StackResolver _resolver;

    public TrackedProcess(TrackedRegion region, int slot, TrackedProcess? parent, HeapBefore before, RecordingShared shared)
    {
        Region = region;
        Slot = slot;
        Parent = parent;
        Heap = new ProcessHeap(shared.Live, shared.Buckets, region.View.Shape.NodeCapacity, before)
        {
            HasUnrecorded = region.Sampling.HasReturned,
        };
        _registry = shared.Registry;
        _resolver = new StackResolver(this, region.View, shared.Registry, shared.Mappings);
    }

    public TrackedRegion Region { get; }

    public int Slot { get; }

    /// <summary>The process it was forked from or spawned by, when that is in the trace.</summary>
    public TrackedProcess? Parent { get; }

    public required ProcessId Id { get; init; }

    public required int Pid { get; init; }

    public int Image { get; init; }

    public int? ParentPid { get; init; }

    public ProcessOrigin Origin { get; init; }

    public string? Command { get; init; }

    public string? Executable { get; init; }

    public long StartNs { get; init; }

    public ProcessHeap Heap { get; }

    /// <summary>What it has mapped itself; made when it is asked for.</summary>
    public MappedSpace Mapped => _mapped ??= new MappedSpace();

    /// <summary>The same; null where nothing is known to be.</summary>
    public MappedSpace? KnownMapped => _mapped;

    /// <summary>Events that must have been and did not come.</summary>
    public long LostEvents => Heap.LostEvents + (_mapped?.Missing ?? 0);

    /// <summary>What the program itself does not want to be reported.</summary>
    public ProcessSuppressions Suppressions => _suppressions ??=
        new ProcessSuppressions(Origin == ProcessOrigin.Fork ? Parent?.Suppressions : null);

    /// <summary>Modules it loaded itself.</summary>
    public List<LoadedModule> Modules { get; } = [];

    /// <summary>How it ended, once that is known.</summary>
    public ProcessEnd? End { get; set; }

    /// <summary>The trace's epoch when it ended.</summary>
    public ulong EndEpoch { get; set; }

    /// <summary>No less than it had in its last passes.</summary>
    public long LastHigh { get; set; }

    /// <summary>It had events in one of the last passes.</summary>
    public bool IsActive { get; set; }

    /// <summary>Its end is known and everything it wrote is applied.</summary>
    public bool HasEnded { get; set; }

    /// <summary>Rings that became unreadable while it wrote to them.</summary>
    public long Faults { get; set; }

    public ulong MissedCalls { get; set; }

    /// <summary>The shim turned itself off.</summary>
    public bool WasOff { get; set; }

    /// <summary>Processes were forked from it, or from those, that are not in the trace.</summary>
    public bool HasUnrecordedChildren { get; set; }

    /// <summary>Recording was paused while it lived.</summary>
    public bool WasPaused { get; set; }

    public string? Note { get; set; }

    /// <summary>Adds a remark to its row.</summary>
    public void AddNote(string text)
    {
        Note = Note is null ? text : $"{Note}; {text}";
        Heap.Changed = true;
    }

    /// <summary>Epochs as of the last commit.</summary>
    public ulong CommittedProcessEpoch { get; set; }

    public ulong CommittedTraceEpoch { get; set; }

    /// <summary>Commits since a stack waits for its module.</summary>
    public int CommitsWaited { get; set; }

    /// <summary>Number of the heap-check that it waited for last.</summary>
    public uint CheckSeen { get; set; }

    /// <summary>Notes what has become of the signal for snapshots.</summary>
    public void SeeSignal(SignalState state)
    {
        var isNew = state != _signalSeen;
        _signalSeen = state;
        if (isNew && state is (SignalState.Kept or SignalState.TakenBack))
        {
            AddNote(state == SignalState.Kept
                ? "has a use of its own for the snapshot signal, which takes no snapshots of it"
                : "found a use of its own for the snapshot signal, which takes no snapshots of it any more");
        }
    }

    /// <summary>Notes that it uses other namespaces of the loader than its own, once.</summary>
    public void SeeOtherNamespaces()
    {
        if (!_hasOtherNamespaces)
        {
            _hasOtherNamespaces = true;
            AddNote("uses other namespaces of the loader (dlmopen, LD_AUDIT): what libraries there allocate with their own libc is not seen");
        }
    }

    /// <summary>First row of its threads in the trace, by thread index.</summary>
    public List<int> ThreadRows { get; } = [];

    /// <summary>The process's stream for a ring, a new one on first use.</summary>
    public int StreamOf(int ring, long pass)
    {
        if (!_streamByRing.TryGetValue(ring, out var stream))
        {
            stream = Heap.Streams.Count;
            Heap.Streams.Add(new StreamSums(pass));
            _streamByRing.Add(ring, stream);
        }

        return stream;
    }

    /// <summary>Finds the trace's stacks of totals that are new. After every pass: new stacks come as their blocks do,
    /// and what has no stack yet would have to be kept aside.</summary>
    public void ResolveNew()
    {
        if (_looked < Heap.Stacks.Count)
        {
            if (Region.Modules.HasNew)
            {
                Region.RefreshModules();
            }

            for (; _looked < Heap.Stacks.Count; _looked++)
            {
                if (!TryResolve(_looked, mayWait: true))
                {
                    _waiting.Add(_looked);
                }
            }
        }
    }

    /// <summary>Finds the trace's stack for every total that has none yet.</summary>
    /// <param name="mayWait">False: whatever is not known now will never be.</param>
    /// <returns>False when some have to wait for the shim to say where they are.</returns>
    public bool ResolveStacks(bool mayWait)
    {
        ResolveNew();
        _waiting.RemoveAll(index => TryResolve(index, mayWait));
        return _waiting.Count == 0;
    }

    /// <summary>Finds the trace's stacks of what was mapped.</summary>
    /// <param name="mayWait">False: whatever is not known now will never be.</param>
    /// <returns>False when some have to wait for the shim to say where they are.</returns>
    public bool ResolveMapped(bool mayWait)
    {
        var all = true;
        foreach (var stack in Mapped.Stacks.Where(stack => stack.StackId == 0))
        {
            stack.StackId = _resolver.Resolve(stack.Node, stack.FirstMs, mayWait);
            all &= stack.StackId != 0;
        }

        return all;
    }

    /// <summary>Remarks on the process for a person; null: none.</summary>
    public string? Remarks()
    {
        // Also of ended processes, whose totals are gone by then.
        if (!_isDisposed)
        {
            _cutAllocations = _cut.Sum(index => Heap.Stacks[index].Allocations);
        }

        var cut = _cutAllocations == 0 ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"the stacks of {_cutAllocations:N0} allocations lack frames: there was no room for more stacks");
        var unfollowed = _mapped is not { Unfollowed: > 0 } ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"{_mapped.Unfollowed:N0} mappings or parts of such do not count: there were more than {MappedRanges.Most:N0} at once");
        string?[] remarks = [Note, cut, unfollowed];
        return remarks.Any(remark => remark is not null) ? string.Join("; ", remarks.Where(remark => remark is not null)) : null;
    }

    /// <summary>Frees what only a living process needs; what it was and counted stays.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _ = Remarks();
            _isDisposed = true;
        }

        Heap.Dispose();
        _resolver.Dispose();
        _streamByRing.Clear();
        _firstByStack.Clear();
        ThreadRows.Clear();
    }

    private bool TryResolve(int index, bool mayWait)
    {
        ref var total = ref Heap.Stacks[index];
        var id = _resolver.Resolve(total.Node, total.FirstMs, mayWait);
        if (id == 0)
        {
            return false;
        }

        total.StackId = id;
        if (_registry.IsCut(id))
        {
            _cut.Add(index);
        }

        if (_firstByStack.TryGetValue(id, out var first))
        {
            total.FirstTwin = first;
            total.NextTwin = Heap.Stacks[first].NextTwin;
            Heap.Stacks[first].NextTwin = index;
        }
        else
        {
            _firstByStack.Add(id, index);
        }

        return true;
    }
}

/// <summary>How a process image ended.</summary>
/// <param name="Ending">In a word.</param>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
/// <param name="ExitCode">Null when it did not exit or nobody told.</param>
/// <param name="Signal">Null when no signal ended it or nobody told.</param>
internal sealed record ProcessEnd(ProcessEnding Ending, long TimeNs, int? ExitCode, int? Signal);
