using NativeHeap.Collect.Heap;
using NativeHeap.Collect.Stacks;
using NativeHeap.Model;

namespace NativeHeap.Collect;

/// <summary>One process image of the recording. For one thread.</summary>
internal sealed class TrackedProcess : IDisposable
{
    private const long MostResolvingMs = 20;

    private readonly Dictionary<int, int> _streamByRing = [];
    private readonly Dictionary<int, int> _firstByStack = [];
    private readonly StackResolver _resolver;

    public TrackedProcess(TrackedRegion region, int slot, TrackedProcess? parent, bool forked, RecordingShared shared)
    {
        Region = region;
        Slot = slot;
        Parent = parent;
        Heap = new ProcessHeap(shared.Live, shared.Buckets, region.View.Shape.NodeCapacity, forked);
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

    public string? Note { get; set; }

    /// <summary>Epochs as of the last commit.</summary>
    public ulong CommittedProcessEpoch { get; set; }

    public ulong CommittedTraceEpoch { get; set; }

    /// <summary>Commits since a stack waits for its module.</summary>
    public int CommitsWaited { get; set; }

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

    /// <summary>Finds the trace's stack for every total that changed and has none yet.</summary>
    /// <param name="mayWait">False: whatever is not known now will never be. True: many new stacks are found little by
    /// little, so that targets do not have to wait for us.</param>
    /// <returns>False when some have to wait for the shim to say where they are.</returns>
    public bool ResolveStacks(bool mayWait)
    {
        var all = true;
        var start = Environment.TickCount64;
        foreach (var index in Heap.DirtyStacks.Items)
        {
            ref var total = ref Heap.Stacks[index];
            if (total.StackId != 0)
            {
                continue;
            }

            if (mayWait && Environment.TickCount64 - start > MostResolvingMs)
            {
                break;
            }

            var id = _resolver.Resolve(total.Node, total.FirstMs, mayWait);
            if (id == 0)
            {
                all = false;
                continue;
            }

            total.StackId = id;
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
        }

        return all;
    }

    /// <summary>Frees what only a living process needs; what it was and counted stays.</summary>
    public void Dispose()
    {
        Heap.Dispose();
        _resolver.Forget();
        _streamByRing.Clear();
        _firstByStack.Clear();
        ThreadRows.Clear();
    }
}

/// <summary>How a process image ended.</summary>
/// <param name="Ending">In a word.</param>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
/// <param name="ExitCode">Null when it did not exit or nobody told.</param>
/// <param name="Signal">Null when no signal ended it or nobody told.</param>
internal sealed record ProcessEnd(ProcessEnding Ending, long TimeNs, int? ExitCode, int? Signal);
