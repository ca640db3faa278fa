using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Analysis.Suppressions;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary>What <c>refs</c> found.</summary>
/// <param name="Holders">The target and the chains to it.</param>
/// <param name="Frames">Who allocated the target; null when nobody knows.</param>
/// <param name="Notes">Remarks for a person.</param>
internal sealed record RefsAnswer(HolderAnswer Holders, CallStack? Frames, IReadOnlyList<string> Notes)
{
    /// <summary>How long the look at a process took; null: there was none.</summary>
    public LookTimes? Times { get; init; }
}

/// <summary>What <c>refs</c> is asked: who holds one object or block.</summary>
internal sealed record RefsQuestion
{
    /// <summary>Any address in it.</summary>
    public ulong? Address { get; init; }

    /// <summary>The largest of a type that anybody holds.</summary>
    public string? Type { get; init; }

    /// <summary>The number of a leak of the last heap-check.</summary>
    public int? Leak { get; init; }

    /// <summary>What that check was given: suppressed leaks have no number.</summary>
    public LeakSuppressions Suppressions { get; init; } = LeakSuppressions.BuiltIn;

    /// <summary>A function by which, or on whose behalf, a block was allocated; a part of its name.</summary>
    public string? Stack { get; init; }

    /// <summary>At most so many chains.</summary>
    public int Most { get; init; }

    /// <summary>In how many ways the target is named; one is right.</summary>
    public int Ways => (Address is null ? 0 : 1) + (Type is null ? 0 : 1) + (Leak is null ? 0 : 1) + (Stack is null ? 0 : 1);

    /// <summary>Asks a process or a core dump.</summary>
    /// <exception cref="ToolException">It cannot be looked at, or has no such object.</exception>
    public RefsAnswer AskPicture(HeapTarget target)
    {
        var leak = Leak is null ? null : FindLeak(target);
        using var picture = target.Take(withRoots: true, out var recorded);
        using (recorded)
        {
            using var types = new TypeStatistics(picture);
            using var search = new HolderSearch(picture, types);
            var node = (leak?.Address ?? Address) is { } place ? search.Graph.NodeAround(place)
                : Stack is not null ? Largest(search.Graph, OfOneStack(types.BlocksOf(Callers(target, recorded))))
                : Largest(search.Graph, types.Instances(Type!));
            if (node == HeapGraph.NoNode)
            {
                throw Missing(picture, types, leak);
            }

            var holders = search.Find(node, Most);
            picture.ThrowIfGone();
            return new RefsAnswer(
                holders, leak?.Stack ?? recorded?.Snapshot?.StackOf(holders.Target.Stack), picture.Notes)
            {
                Times = picture.Times,
            };
        }
    }

    /// <summary>Asks a trace for one of its leaks.</summary>
    /// <exception cref="ToolException">It cannot be read, or knows no such leak.</exception>
    public RefsAnswer AskTrace(TraceReference reference)
    {
        using var profile = Profile.Open(reference.Path);
        if (Leak is null)
        {
            return BlockOf(profile, reference);
        }

        var leak = LeakOf(profile, null);
        var target = new ChainLink(leak.Address, leak.Own.Bytes / Math.Max(1, leak.Own.Blocks), null, null, -1, leak.Cycle.Count > 0);
        return new RefsAnswer(
            new HolderAnswer(target, [], []) { IsKnown = leak.Kind != Graph.LeakKind.Reachable },
            leak.Stack,
            [$"{reference.Path} says what was lost at its last heap-check; who holds a block can be asked of a process (-p PID) or a core dump"]);
    }

    private RefsAnswer BlockOf(Profile profile, TraceReference reference)
    {
        var heap = profile.SnapshotHeap(reference.Moment);
        var isOne = Stack is null ? _ => false : Callers(heap);
        var found = OfOneStack(heap.Instances().Where(
                block => Address is { } address ? address - block.Address < (ulong)Math.Max(1, block.Bytes) : isOne(block.Stack)))
            .OrderByDescending(block => block.Bytes).Select(block => (ObjectInstance?)block).FirstOrDefault()
            ?? throw new ToolException(
                $"the snapshot has no block {(Address is { } at ? string.Create(CultureInfo.InvariantCulture, $"at 0x{at:x}") : Stack is not null ? $"allocated by {Stack}" : $"of type {Type}")}; objects can be asked of a process (-p PID) or a core dump",
                ExitCodes.Usage);
        return new RefsAnswer(
            new HolderAnswer(new ChainLink(found.Address, found.Bytes, null, null, found.Stack, false), [], []) { IsKnown = false },
            heap.StackOf(found.Stack),
            ["a snapshot keeps who allocated its blocks; who holds them can be asked of a process (-p PID) or a core dump"]);
    }

    private Leak FindLeak(HeapTarget target)
    {
        if (target.Pid is not { } pid)
        {
            throw new ToolException("a core dump has no heap-check; give an address or --type", ExitCodes.Usage);
        }

        using var profile = Profile.Open(ControlClient.TracePath(pid), live: new LiveCode(pid));
        return LeakOf(profile, pid);
    }

    private Leak LeakOf(Profile profile, int? pid)
    {
        var check = profile.LeakChecks(Suppressions).LastOrDefault(check => pid is null || check.Process.Pid == pid)
            ?? throw new ToolException(
                $"{profile.Path} has no heap-check{(pid is null ? "" : $" of process {pid}; make one first: nativeheap check -p {pid}")}",
                pid is null ? ExitCodes.Input : ExitCodes.Target);
        return check.Leaks.FirstOrDefault(leak => leak.Id == Leak)
            ?? throw new ToolException(
                $"the last heap-check has no leak {Leak}; it has {check.Leaks.Count}", ExitCodes.Usage);
    }

    private ToolException Missing(HeapPicture picture, TypeStatistics types, Leak? leak) => Type is not null
        ? ObjectsQuestion.NoSuchType(picture.Name, Type, types.Count())
        : Stack is not null ? new ToolException($"{picture.Name} has no live block of whose stack a function is named {Stack}", ExitCodes.Usage)
        : new ToolException(string.Create(CultureInfo.InvariantCulture, $"0x{leak?.Address ?? Address:x} lies in no object and no live block of {picture.Name}"),
        ExitCodes.Usage);

    // Whether a stack has a frame of that function.
    private Func<int, bool> Callers(HeapTarget target, RecordedHeap? recorded)
    {
        if (recorded?.Snapshot is not { } snapshot)
        {
            throw new ToolException(
                target.Pid is { } pid
                    ? $"process {pid} is not being recorded, so nobody knows who allocated its blocks; record it: nativeheap attach -p {pid}"
                    : "a core dump does not tell who allocated its blocks; give an address or --type",
                target.Pid is null ? ExitCodes.Usage : ExitCodes.Target);
        }

        return Callers(snapshot);
    }

    private Func<int, bool> Callers(SnapshotHeap snapshot)
    {
        var known = new Dictionary<int, bool>();
        return number =>
        {
            if (!known.TryGetValue(number, out var isOne))
            {
                isOne = snapshot.StackOf(number)?.Frames.Any(
                    frame => frame.Name?.Function?.Contains(Stack!, StringComparison.Ordinal) == true) == true;
                known.Add(number, isOne);
            }

            return isOne;
        };
    }

    // A function allocates by many ways, the compiler's for it among them: the one that has most bytes.
    private static IEnumerable<ObjectInstance> OfOneStack(IEnumerable<ObjectInstance> blocks) =>
        blocks.GroupBy(block => block.Stack).MaxBy(stack => stack.Sum(block => block.Bytes)) ?? Enumerable.Empty<ObjectInstance>();

    // One that is held says more than one that is not.
    private static uint Largest(HeapGraph graph, IEnumerable<ObjectInstance> instances)
    {
        var best = instances
            .OrderByDescending(instance => graph.IsReached(instance.Node)).ThenByDescending(instance => instance.Bytes)
            .Select(instance => (uint?)instance.Node).FirstOrDefault();
        return best ?? HeapGraph.NoNode;
    }
}
