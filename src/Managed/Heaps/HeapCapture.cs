using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Managed.Heaps;

/// <summary>
/// What must be read of a .NET process while it stands still; the rest is done when it runs again. For one thread.
/// </summary>
public sealed class HeapCapture : IDisposable
{
    private readonly ClrTarget _target;
    private readonly List<MemoryRange> _contexts;
    private HeapCopy? _copy;

    private HeapCapture(ClrTarget target, HeapCopy copy, List<MemoryRange> contexts)
    {
        _target = target;
        _copy = copy;
        _contexts = contexts;
    }

    /// <summary>Roots, those of a person's own words first: statics are not among them
    /// (<see cref="Statics"/>).</summary>
    public IReadOnlyList<HeapRoot> Roots { get; private init; } = [];

    /// <summary>Static fields; null when nobody asked for roots.</summary>
    public StaticFields? Statics { get; private init; }

    /// <summary>Memory of the garbage-collected heap; beside objects it holds left-overs alone.</summary>
    public IReadOnlyList<AddressRange> Reserved { get; private init; } = [];

    /// <summary>Managed methods that ran, of all threads.</summary>
    public IReadOnlyList<ManagedFrame> Frames { get; private init; } = [];

    /// <summary>Objects that are kept alive by another one without a reference in it (ConditionalWeakTable).</summary>
    public IReadOnlyList<(ulong Key, ulong Value)> Dependents { get; private init; } = [];

    /// <summary>What could not be read, for a person; null: nothing.</summary>
    public string? Note { get; private init; }

    /// <summary>Whether the heap is in order just now: it is not while it is being collected.</summary>
    public static bool IsPossible(ClrTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        return target.Runtime.Heap.CanWalkHeap;
    }

    /// <summary>Goes through what will be asked for while the process runs, so that all code for it is compiled and loaded
    /// before the process is stopped. What comes out means nothing.</summary>
    public static void Rehearse(ClrTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        try
        {
            var heap = target.Runtime.Heap;
            _ = heap.CanWalkHeap;
            _ = heap.EnumerateAllocationContexts().Count() + FindReserved(heap).Count;
            _ = target.Runtime.EnumerateHandles().Count() + heap.EnumerateFinalizerRoots().Count();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // What ClrMD makes of memory that changes under its hands is nobody's loss.
        }
    }

    /// <summary>Copies the heap.</summary>
    /// <param name="target">Opened after the process was held; stays the caller's.</param>
    /// <param name="held">The process, or a core of it.</param>
    /// <param name="withRoots">Also what keeps its objects alive.</param>
    /// <exception cref="ToolException">It is too large, or the process went away.</exception>
    public static HeapCapture Take(ClrTarget target, IHeldProcess held, bool withRoots)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(held);
        var heap = target.Runtime.Heap;
        var contexts = heap.EnumerateAllocationContexts().ToList();
        var copy = HeapCopy.Take(heap, held.Memory);
        target.Memory.Prefer(copy);
        var reserved = FindReserved(heap);
        if (!withRoots)
        {
            return new HeapCapture(target, copy, contexts) { Reserved = reserved };
        }

        var handles = target.Runtime.EnumerateHandles().ToList();
        var unseen = heap.IsServer ? FindUnseen(handles, held, reserved) : [];
        return new HeapCapture(target, copy, contexts)
        {
            Reserved = reserved,
            Frames = FindFrames(target.Runtime),
            Roots = FindRoots(heap, unseen ?? []),
            Statics = new StaticFields(target.Runtime),
            Dependents = FindDependents(handles, unseen ?? []),
            Note = unseen is null ? HandleTables.Unknown : null,
        };
    }

    /// <summary>Finds the objects. The process may run again; what a type is called is still read from it.</summary>
    /// <returns>The caller's, with the memory; until it is disposed, the target must not be.</returns>
    public ManagedHeap Walk()
    {
        var copy = _copy ?? throw new InvalidOperationException("walked already");
        _copy = null;
        var heap = _target.Runtime.Heap;
        return ManagedHeap.Walk(copy, _contexts, (table, first) => HeapType.Read(heap, _target.Memory, table, first));
    }

    /// <inheritdoc/>
    public void Dispose() => _copy?.Dispose();

    // Regions are given out from one reservation: between two of them there is nothing but former ones.
    private static List<AddressRange> FindReserved(ClrHeap heap)
    {
        var ranges = heap.Segments.Select(segment => new AddressRange(segment.CommittedMemory.Start, segment.CommittedMemory.End))
            .OrderBy(range => range.Start).ToList();
        var regions = heap.Segments.Where(segment => segment.Kind != GCSegmentKind.Frozen)
            .Select(segment => segment.CommittedMemory).ToList();
        if (regions.Count > 0 && heap.SubHeaps.All(sub => sub.HasRegions))
        {
            ranges.Add(new AddressRange(regions.Min(range => range.Start), regions.Max(range => range.End)));
        }

        return ranges;
    }

    private static List<ManagedFrame> FindFrames(ClrRuntime runtime) =>
    [
        .. runtime.Threads.SelectMany(thread => thread.EnumerateStackTrace()
            .Where(frame => frame.Method is not null)
            .Select(frame => new ManagedFrame((int)thread.OSThreadId, frame.StackPointer, frame.Method!))),
    ];

    // Handles in tables that ClrMD is not shown; null: they cannot be read.
    private static List<TableHandle>? FindUnseen(List<ClrHandle> known, IHeldProcess held, List<AddressRange> reserved)
    {
        var tables = new HandleTables(held.Memory, known);
        using var pages = held.OpenPages();
        var heap = new RangeSet();
        reserved.ForEach(heap.Exclude);
        var seen = known.Select(handle => handle.Address).ToHashSet();
        return !tables.AreKnown ? null :
        [
            .. held.Mappings
                .Where(mapping => mapping is { IsReadable: true, IsWritable: true, IsShared: false, Path: "" })
                .SelectMany(mapping => heap.Rest(new AddressRange(mapping.Start, mapping.End)))
                .SelectMany(pages.Present)
                .SelectMany(tables.In)
                .Where(handle => !seen.Contains(handle.Location)),
        ];
    }

    private static List<HeapRoot> FindRoots(ClrHeap heap, List<TableHandle> unseen)
    {
        var roots = heap.EnumerateRoots().Where(root => root.Object.Address != 0).Select(HeapRoot.From).ToList();
        roots.AddRange(heap.EnumerateFinalizableObjects().Select(
            item => new HeapRoot(HeapRootKind.AwaitsFinalizer, 0, item.Address)));
        roots.AddRange(unseen.Where(handle => handle.IsStrong).Select(HeapRoot.From));
        roots.Sort((a, b) => (a.Kind, a.Location).CompareTo((b.Kind, b.Location)));
        return roots;
    }

    private static List<(ulong, ulong)> FindDependents(List<ClrHandle> handles, List<TableHandle> unseen) =>
    [
        .. handles.Where(handle => handle.HandleKind == ClrHandleKind.Dependent)
            .Select(handle => (handle.Object.Address, handle.Dependent.Address))
            .Concat(unseen.Select(handle => (handle.Target, handle.Dependent)))
            .Where(pair => pair.Item1 != 0 && pair.Item2 != 0),
    ];
}
