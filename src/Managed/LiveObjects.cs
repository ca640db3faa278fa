using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>
/// Which objects of a held .NET process are alive. A garbage-collected heap is full of objects that are not, and what
/// they hold nobody will ever free. Read by ClrMD, which neither stops nor traces the process.
/// </summary>
/// <remarks>Stacks and registers are taken as the collector's conservative mode takes them: any word that is an object's
/// address, or points into one, keeps it alive.</remarks>
public sealed class LiveObjects
{
    private const string RuntimeLibrary = "libcoreclr.so";
    private const int Often = 1 << 10;

    private readonly ClrHeap _heap;
    private readonly CancellationToken _cancellation;
    private readonly HashSet<ulong> _seen = [];
    private readonly Stack<ClrObject> _work = new();

    private LiveObjects(ClrHeap heap, CancellationToken cancellation)
    {
        _heap = heap;
        _cancellation = cancellation;
        var ranges = heap.Segments.Where(segment => segment.Kind != GCSegmentKind.Frozen)
            .Select(segment => new AddressRange(segment.CommittedMemory.Start, segment.CommittedMemory.End))
            .OrderBy(range => range.Start).ToList();

        // Regions are given out from one reservation: between two of them there is nothing but former ones.
        Heap = ranges.Count > 0 && heap.SubHeaps.All(sub => sub.HasRegions)
            ? [new AddressRange(ranges[0].Start, ranges[^1].End)]
            : ranges;
    }

    /// <summary>Memory of the garbage-collected heap; beside <see cref="Objects"/> it holds nothing.</summary>
    public IReadOnlyList<AddressRange> Heap { get; }

    /// <summary>Live objects.</summary>
    public List<AddressRange> Objects { get; } = [];

    /// <summary>Why live objects may be missing; null: none is.</summary>
    public string? Note { get; private set; }

    /// <summary>Whether a process has a runtime loaded.</summary>
    public static bool HasRuntime(IEnumerable<MemoryMapping> mappings) =>
        mappings.Any(mapping => Path.GetFileName(mapping.Path) == RuntimeLibrary);

    /// <summary>Finds them.</summary>
    /// <param name="held">The process.</param>
    /// <param name="stacks">Memory of stacks that is in use, and other words that may keep objects alive.</param>
    /// <param name="tables">Mappings among which the runtime's tables of handles are (<see cref="HandleTables"/>).</param>
    /// <param name="cancellation">Ends it when it takes too long.</param>
    /// <param name="problem">Why they cannot be found; null on success.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static LiveObjects? TryFind(
        IHeldProcess held,
        IReadOnlyCollection<ulong> stacks,
        IEnumerable<AddressRange> tables,
        CancellationToken cancellation,
        out string? problem)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentNullException.ThrowIfNull(stacks);
        ArgumentNullException.ThrowIfNull(tables);
        try
        {
            using var process = DataTarget.AttachToProcess(held.Pid, suspend: false);
            using var target = new DataTarget(new MortalReader(process.DataReader), new DataTargetOptions());
            using var runtime = Open(target, held.Pid);
            problem = runtime.Heap.CanWalkHeap ? null : "a garbage collection is under way";
            if (problem is not null)
            {
                return null;
            }

            var objects = new LiveObjects(runtime.Heap, cancellation);
            if (runtime.Heap.IsServer)
            {
                var handles = new HandleTables(held.Memory, [.. runtime.EnumerateHandles()]);
                objects.Note = handles.AreKnown ? null : HandleTables.Unknown;
                using var pages = held.OpenPages();
                foreach (var handle in tables.SelectMany(objects.Outside).SelectMany(pages.Present).SelectMany(handles.In))
                {
                    objects.KeepWord(handle.IsStrong ? handle.Target : handle.Dependent);
                }
            }

            objects.Find(runtime, stacks);
            return objects;
        }
        catch (Exception error) when (error is not (OutOfMemoryException or OperationCanceledException))
        {
            // What ClrMD makes of foreign memory has no bounds that anybody states.
            problem = EventStream.OneLine(error);
            return null;
        }
    }

    // The version that ClrMD reads from the file is 0.0, by which it finds no library; the one beside it is the one.
    private static ClrRuntime Open(DataTarget target, int pid)
    {
        var info = target.ClrVersions.FirstOrDefault()
            ?? throw new NotSupportedException("there is no runtime in it that ClrMD knows");
        return info.CreateRuntime(DataAccessLibrary.Find(info.ModuleInfo.FileName, pid), ignoreMismatch: true);
    }

    private void Find(ClrRuntime runtime, IReadOnlyCollection<ulong> stacks)
    {
        foreach (var handle in runtime.EnumerateHandles().Where(handle => handle.IsStrong))
        {
            Keep(handle.Object);
        }

        foreach (var root in _heap.EnumerateFinalizerRoots())
        {
            Keep(root.Object);
        }

        foreach (var word in stacks)
        {
            KeepAround(word);
        }

        while (_work.TryPop(out var item))
        {
            if (_seen.Count % Often == 0)
            {
                _cancellation.ThrowIfCancellationRequested();
            }

            foreach (var reference in item.EnumerateReferences(carefully: false, considerDependantHandles: true))
            {
                Keep(reference);
            }
        }
    }

    // What of a range is not the collector's heap itself.
    private IEnumerable<AddressRange> Outside(AddressRange range)
    {
        var without = new RangeSet();
        foreach (var part in Heap)
        {
            without.Exclude(part);
        }

        return without.Rest(range);
    }

    private void KeepAround(ulong word)
    {
        if (_heap.GetSegmentByAddress(word) is not { } segment || !segment.ObjectRange.Contains(word))
        {
            return;
        }

        var item = word % 8 == 0 ? _heap.GetObject(word) : default;
        item = item.IsValid ? item : _heap.FindPreviousObjectOnSegment(word);
        if (item.IsValid && word - item.Address < item.Size)
        {
            Keep(item);
        }
    }

    private void KeepWord(ulong word)
    {
        if (word != 0 && word % sizeof(ulong) == 0)
        {
            Keep(_heap.GetObject(word));
        }
    }

    private void Keep(ClrObject item)
    {
        if (item.IsValid && _seen.Add(item.Address))
        {
            Objects.Add(new AddressRange(item.Address, item.Address + item.Size));
            _work.Push(item);
        }
    }
}
