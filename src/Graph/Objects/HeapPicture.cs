using System.Diagnostics;
using NativeHeap.Collect.Checks;
using NativeHeap.Managed.Heaps;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Malloc;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Graph.Objects;

/// <summary>How long a look at a process took.</summary>
/// <param name="Opening">Opening its .NET runtime, while it ran; zero where there is none.</param>
/// <param name="Stopped">The process stood still.</param>
public readonly record struct LookTimes(TimeSpan Opening, TimeSpan Stopped);

/// <summary>
/// A process as it was at one moment: it is stopped for as long as its heaps are copied and its roots are looked through,
/// and runs on before anything else is done. For one thread.
/// </summary>
public sealed class HeapPicture : IDisposable
{
    private const int MostTries = 100;
    private const ulong MostStackBytes = 1 << 20; // of a stack that are kept to name frames by
    private const ulong LargeBlock = 1 << 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly List<IDisposable> _open = [];
    private HeapCapture? _capture;
    private TargetCopy? _memory;
    private BlockIndex? _index;

    private HeapPicture(string name, int? pid)
    {
        Name = name;
        Pid = pid;
    }

    /// <summary>For messages: "process 17", or a core's path.</summary>
    public string Name { get; }

    /// <summary>The process; null for a core.</summary>
    public int? Pid { get; }

    /// <summary>How long it took; null for a core.</summary>
    public LookTimes? Times { get; private set; }

    /// <summary>The runtime; null when there is none.</summary>
    public ClrTarget? Clr { get; private set; }

    /// <summary>The managed objects; null when there is no runtime.</summary>
    public ManagedHeap? Heap { get; private set; }

    /// <summary>What keeps managed objects alive.</summary>
    public IReadOnlyList<HeapRoot> ManagedRoots => _capture?.Roots ?? [];

    /// <summary>Static fields; null when there is no runtime, or nobody asked for roots.</summary>
    public StaticFields? Statics => _capture?.Statics;

    /// <summary>Managed methods that ran, and where on the stacks.</summary>
    public IReadOnlyList<ManagedFrame> ManagedFrames => _capture?.Frames ?? [];

    /// <summary>Pairs of a ConditionalWeakTable.</summary>
    public IReadOnlyList<(ulong Key, ulong Value)> Dependents => _capture?.Dependents ?? [];

    /// <summary>The native blocks by rising address.</summary>
    public HeapBlocks Blocks { get; private set; } = null!;

    /// <summary>Which block an address lies in.</summary>
    public BlockIndex Index => _index ??= Keep(new BlockIndex(Blocks));

    /// <summary>The blocks' memory, and the upper ends of stacks.</summary>
    public TargetCopy Memory => _memory!;

    /// <summary>Mappings at that moment.</summary>
    public IReadOnlyList<MemoryMapping> Mappings { get; private set; } = [];

    /// <summary>Threads at that moment.</summary>
    public IReadOnlyList<HeldThread> Threads { get; private set; } = [];

    /// <summary>What could not be had, for a person.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>Words of roots that point into blocks; empty when nobody asked for roots.</summary>
    internal NativeList<BlockPointer>? BlockPointers { get; private set; }

    /// <summary>Looks at a process.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="withRoots">Also at what keeps its objects and blocks alive.</param>
    /// <param name="blocks">Tells its live native blocks while it stands still; null: those its allocator has given out.
    /// Where not all of them are known, these are added.</param>
    /// <exception cref="ToolException">It cannot be looked at (exit code 3).</exception>
    public static HeapPicture Take(int pid, bool withRoots, Func<IHeldProcess, RecordedBlocks>? blocks = null)
    {
        var process = new ProcessReader(pid);
        if (process.ReadStat() is not { IsZombie: false })
        {
            throw new ToolException($"there is no process {pid}", ExitCodes.Target);
        }

        var mappings = process.ReadMappings()
            ?? throw new ToolException(
                $"the memory of process {pid} may not be read: it belongs to somebody else, or is protected (be root, or "
                + "its user)", ExitCodes.Target);
        var picture = new HeapPicture($"process {pid}", pid);
        try
        {
            picture.TakeProcess(pid, withRoots, mappings, blocks);
            return picture;
        }
        catch
        {
            picture.Dispose();
            throw;
        }
    }

    /// <summary>Looks at a core dump.</summary>
    /// <param name="path">The file.</param>
    /// <param name="withRoots">Also at what keeps its objects and blocks alive.</param>
    /// <exception cref="ToolException">It cannot be read (exit code 4).</exception>
    public static HeapPicture TakeCore(string path, bool withRoots)
    {
        var picture = new HeapPicture(path, null);
        try
        {
            var core = picture.Keep(CoreDump.TryOpen(path, out var problem)
                ?? throw new ToolException($"{path} {problem}", ExitCodes.Input));
            if (ClrTarget.HasRuntime(core.Mappings))
            {
                picture.Clr = picture.Keep(ClrTarget.OpenCore(path));
            }

            picture.Capture(core, withRoots, null);
            picture.WalkHeap();
            if (picture.Clr is { } clr && !HeapCapture.IsPossible(clr))
            {
                picture.Notes = [.. picture.Notes, "the core was written in the middle of a collection: objects may be missing"];
            }

            return picture;
        }
        catch
        {
            picture.Dispose();
            throw;
        }
    }

    /// <summary>Makes sure that what is read of the process from now on is still the same program.</summary>
    /// <exception cref="ToolException">It has ended (exit code 3).</exception>
    public void ThrowIfGone()
    {
        if (Pid is { } pid && Clr is not null && new ProcessReader(pid).ReadStat() is not { IsZombie: false })
        {
            throw Ended(pid, null);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (var i = _open.Count - 1; i >= 0; i--)
        {
            _open[i].Dispose();
        }

        _open.Clear();
    }

    private static ToolException Ended(int pid, Exception? cause) =>
        new($"process {pid} ended while it was looked at", ExitCodes.Target, cause);

    private void TakeProcess(
        int pid, bool withRoots, IReadOnlyList<MemoryMapping> mappings, Func<IHeldProcess, RecordedBlocks>? blocks)
    {
        try
        {
            var clock = Stopwatch.StartNew();

            // What can be refused is refused before the process is stopped, and what is slow and may be done is done.
            Clr = ClrTarget.HasRuntime(mappings) ? Keep(ClrTarget.Attach(pid)) : null;
            if (Clr is not null)
            {
                HeapCapture.Rehearse(Clr);
            }

            var opening = clock.Elapsed;
            using var tracer = new Tracer();
            for (var i = 0; !TryTake(tracer, pid, withRoots, blocks, last: i == MostTries); i++)
            {
                Thread.Sleep(Pause); // it was collecting garbage
            }

            Times = Times is { } times ? times with { Opening = opening } : null;

            WalkHeap();
        }
        catch (Exception error) when (error is not OutOfMemoryException && new ProcessReader(pid).ReadStat() is not { IsZombie: false })
        {
            // Whatever was missing, that is why.
            throw Ended(pid, error);
        }
    }

    private bool TryTake(
        Tracer tracer, int pid, bool withRoots, Func<IHeldProcess, RecordedBlocks>? blocks, bool last)
    {
        var clock = Stopwatch.StartNew();
        var held = tracer.TryHold(pid, Patience, out var problem)
            ?? throw new ToolException($"process {pid} cannot be stopped to be looked at: {problem}", ExitCodes.Target);
        try
        {
            Clr?.Hold(held);
            if (Clr is not null && !HeapCapture.IsPossible(Clr))
            {
                return last
                    ? throw new ToolException(
                        $"process {pid} is collecting garbage whenever it is looked at; try again", ExitCodes.Target)
                    : false;
            }

            Capture(held, withRoots, blocks);
            if (!held.IsThere)
            {
                throw Ended(pid, null);
            }
        }
        finally
        {
            held.Dispose();
            Clr?.Release();
        }

        Times = new LookTimes(TimeSpan.Zero, clock.Elapsed);
        return true;
    }

    private void Capture(IHeldProcess held, bool withRoots, Func<IHeldProcess, RecordedBlocks>? blocks)
    {
        Mappings = held.Mappings;
        Threads = held.Threads;
        Notes = held.Notes;
        if (Clr is not null)
        {
            _capture = Keep(HeapCapture.Take(Clr, held, withRoots));
            Notes = _capture.Note is { } note ? [.. Notes, note] : Notes;
        }

        _memory = Keep(new TargetCopy(held.Memory));
        var malloc = MallocHeap.Read(_memory, held.Mappings);
        foreach (var segment in malloc.Arenas.SelectMany(arena => arena.Segments))
        {
            _memory.Load(segment);
        }

        FindBlocks(held, malloc, blocks?.Invoke(held));
        var geometry = HeapGeometry.Read(_memory, malloc, Blocks);
        CopyBlocks(held, geometry);
        if (withRoots)
        {
            FindRoots(held, geometry);
        }

        _memory.Close();
    }

    private void FindBlocks(IHeldProcess held, MallocHeap malloc, RecordedBlocks? recorded)
    {
        if (recorded is { } known)
        {
            Blocks = Keep(known.Blocks);
            Blocks.Sort();
        }

        if (recorded is { AreAll: true })
        {
            return;
        }

        var given = AllocatorBlocks.Of(_memory!, held.Memory, malloc, held.Mappings);
        if (recorded is null)
        {
            Blocks = Keep(given);
            return;
        }

        using (given)
        {
            AddUnknown(given);
        }
    }

    private void AddUnknown(HeapBlocks given)
    {
        var known = Blocks.Count;
        for (int i = 0, at = 0; i < given.Count; i++)
        {
            while (at < known && Blocks[at].Address < given[i].Address)
            {
                at++;
            }

            if (at == known || Blocks[at].Address != given[i].Address)
            {
                Blocks.Add(given[i].Address, given[i].Bytes, AllocatorBlocks.NoStack);
            }
        }

        var unknown = Blocks.Count - known;
        Blocks.Sort();
        if (unknown > 0)
        {
            Notes = [.. Notes, $"of its {Blocks.Count} native blocks the recording does not know {unknown}: their sizes are the allocator's"];
        }
    }

    private void FindRoots(IHeldProcess held, HeapGeometry geometry)
    {
        var options = new RootOptions
        {
            Excluded = [.. ShimMemory.Find(held), .. _capture?.Reserved ?? []],
            FindsLiveObjects = false,
        };
        var roots = RootSet.Find(held, geometry, Blocks, Index, options, CancellationToken.None);
        BlockPointers = Keep(RootScan.Find(roots, held.Memory, new BlockFinder(Blocks, Index), CancellationToken.None));
        Notes = [.. Notes, .. geometry.Notes, .. roots.Notes];
        foreach (var thread in held.Threads)
        {
            var start = thread.Registers?.StackPointer ?? 0;
            if (held.Mappings.FirstOrDefault(mapping => mapping.Start <= start && start < mapping.End) is { } mapping)
            {
                Copy(new AddressRange(start, Math.Min(mapping.End, start + MostStackBytes)));
            }
        }
    }

    // Most blocks lie in arenas, which are copied whole; of large ones only what was ever touched.
    private void CopyBlocks(IHeldProcess held, HeapGeometry geometry)
    {
        foreach (var arena in geometry.Arenas)
        {
            Copy(arena);
        }

        using var pages = held.OpenPages();
        for (var i = 0; i < Blocks.Count; i++)
        {
            var (start, end) = (Blocks[i].Address, Blocks[i].Address + Blocks[i].Bytes);
            if (Blocks[i].Bytes < LargeBlock)
            {
                Copy(new AddressRange(start, end));
                continue;
            }

            foreach (var range in pages.Present(new AddressRange(start & ~(PageMap.PageBytes - 1), end)))
            {
                Copy(range);
            }
        }
    }

    private unsafe void Copy(AddressRange range)
    {
        for (var at = range.Start & ~(ulong)(TargetCopy.PieceBytes - 1); at < range.End; at += TargetCopy.PieceBytes)
        {
            Memory.At(at, out _);
        }
    }

    private void WalkHeap()
    {
        Heap = _capture is null ? null : Keep(_capture.Walk());
        if (Heap is { DamagedSegments: > 0 } heap)
        {
            Notes =
            [
                .. Notes,
                $"{heap.DamagedSegments} of {heap.Copy.SegmentCount} heap segments could not be read to their ends",
            ];
        }
    }

    private T Keep<T>(T opened)
        where T : IDisposable
    {
        _open.Add(opened);
        return opened;
    }
}
