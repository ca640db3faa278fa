using NativeHeap.Model;

namespace NativeHeap.Collect.Stacks;

/// <summary>
/// The trace's binaries, places in code and stacks, each once however many processes have it. Ids are dense from 1 in
/// the order of first use, so whatever was added after a count is new. For one thread.
/// </summary>
internal sealed class StackRegistry : IDisposable
{
    private readonly Dictionary<Binary, int> _moduleIds = [];
    private readonly Dictionary<(int Module, ulong Offset, FrameKind Kind), int> _locationIds = [];
    private readonly Dictionary<(ProcessId Process, ulong Address, int Epoch), int> _codeIds = [];

    /// <summary>Binaries; the first has id 1.</summary>
    public List<Binary> Modules { get; } = [];

    /// <summary>Places in code; module 0: none.</summary>
    public List<(int Module, ulong Offset, FrameKind Kind)> Locations { get; } = [];

    /// <summary>Nodes of the merged tree; parent 0 is the root.</summary>
    public StackTable Stacks { get; } = new();

    /// <summary>The places that lie in no binary's code, each of one process.</summary>
    public List<CodePlace> Code { get; } = [];

    /// <summary>What had an address in an epoch of it, as far as the shim had room to say.</summary>
    public Dictionary<(ProcessId Process, ulong Address, int Epoch), CodeSighting> Reused { get; } = [];

    public int ModuleId(Binary binary) => Id(_moduleIds, Modules, binary);

    public int LocationId(int module, ulong offset, FrameKind kind) =>
        Id(_locationIds, Locations, (module, offset, kind));

    /// <summary>A place that lies in no binary's code: what it is depends on whose it is, and when.</summary>
    /// <param name="process">Whose.</param>
    /// <param name="address">Return address.</param>
    /// <param name="epoch">Which of the codes that had the address in turn; 0: code that stays.</param>
    /// <param name="seenMs">Milliseconds since the trace's start.</param>
    public CodePlace CodeAt(ProcessId process, ulong address, int epoch, uint seenMs)
    {
        if (!_codeIds.TryGetValue((process, address, epoch), out var index))
        {
            Locations.Add((0, address, FrameKind.Native));
            index = Code.Count;
            _codeIds.Add((process, address, epoch), index);
            Code.Add(new CodePlace(Locations.Count, process, address, epoch) { SeenMs = seenMs });
        }

        var place = Code[index];
        place.SeenMs = Math.Min(place.SeenMs, seenMs);
        return place;
    }

    /// <summary>Whether a stack lost frames for want of room in the calling-context tree: its leaf stands under the
    /// marker that says so, or is that.</summary>
    public bool IsCut(int stack)
    {
        var isCut = false;
        for (var i = 0; i < 2 && stack != 0 && !isCut; i++)
        {
            var (parent, location) = Stacks[stack];
            isCut = Locations[location - 1] is (0, (ulong)Wire.Marker.TreeFull, FrameKind.Marker);
            stack = parent;
        }

        return isCut;
    }

    public void Dispose() => Stacks.Dispose();

    private static int Id<T>(Dictionary<T, int> ids, List<T> items, T item)
        where T : notnull
    {
        if (!ids.TryGetValue(item, out var id))
        {
            items.Add(item);
            id = items.Count;
            ids.Add(item, id);
        }

        return id;
    }
}
