using System.Globalization;

namespace NativeHeap.EndToEnd.Managed;

/// <summary>A frame of a captured stack. Token 0: none; Tier and Offset (of the return address, in the method's code) only
/// where the method is known.</summary>
internal sealed record CapturedFrame(
    string Kind, string Module, int Token, string Type, string Name, string? Tier, long Offset, long Address)
{
    /// <summary>Code of .NET, whether anybody knows which or not.</summary>
    public bool IsManaged => Kind == "managed" || (Kind == "native" && Module.Length == 0);

    public bool IsKnown => Tier is not null;

    /// <summary>Code that the runtime made for its own use, without metadata.</summary>
    public bool IsStub => IsKnown && Token == 0 && Name.StartsWith("IL_STUB", StringComparison.Ordinal);

    public override string ToString() => IsKnown
        ? $"{Type}.{Name} ({Tier})"
        : string.Create(CultureInfo.InvariantCulture, $"{Kind} {Module}+0x{Address:x}");
}

/// <summary>A stack of a snapshot's block, innermost frame first, without entry and markers.</summary>
internal sealed record CapturedStack(IReadOnlyList<CapturedFrame> Frames, IReadOnlyList<long> Markers);

/// <summary>The blocks of the first snapshot of a trace with their stacks.</summary>
internal sealed class CapturedStacks
{
    private const string Locations =
        """
        SELECT l.id, l.kind, coalesce(mm.path, lm.path, ''), m.token, m.type, m.name, m.tier,
               c.address - m.start_address, coalesce(c.address, l.offset)
        FROM location l LEFT JOIN module lm ON lm.id = l.module_id
        LEFT JOIN code c ON c.location_id = l.id LEFT JOIN method m ON m.id = c.method_id
        LEFT JOIN module mm ON mm.id = m.module_id
        """;

    private readonly Dictionary<long, (long Parent, long Location)> _nodes;
    private readonly Dictionary<long, CapturedFrame> _locations;
    private readonly Dictionary<ulong, long> _blocks;
    private readonly Dictionary<long, CapturedStack> _stacks = [];

    public CapturedStacks(Recording recording)
    {
        _nodes = recording.Ask("SELECT id, parent_id, location_id FROM stack")
            .ToDictionary(row => (long)row[0]!, row => ((long)row[1]!, (long)row[2]!));
        _locations = recording.Query(Locations).ToDictionary(row => (long)row[0]!, row => new CapturedFrame(
            (string)row[1]!,
            Path.GetFileName((string)row[2]!),
            (int)(row[3] as long? ?? 0),
            row[4] as string ?? "",
            row[5] as string ?? "",
            row[6] as string,
            row[7] as long? ?? 0,
            (long)row[8]!));
        _blocks = recording.Query("SELECT address, stack_id FROM block WHERE snapshot_id = 1 AND process_id = 1")
            .ToDictionary(row => (ulong)(long)row[0]!, row => (long)row[1]!);
    }

    /// <summary>All stacks of the trace that allocated anything, also those whose blocks are gone.</summary>
    public IEnumerable<CapturedStack> All =>
        _nodes.Keys.Where(id => _locations[_nodes[id].Location].Kind == "entry").Select(Stack);

    /// <summary>Null when the block was not alive.</summary>
    public CapturedStack? Find(ulong address) => _blocks.TryGetValue(address, out var id) ? Stack(id) : null;

    private CapturedStack Stack(long id)
    {
        if (!_stacks.TryGetValue(id, out var stack))
        {
            var frames = new List<CapturedFrame>();
            for (var node = id; node != 0; node = _nodes[node].Parent)
            {
                frames.Add(_locations[_nodes[node].Location]);
            }
            stack = new CapturedStack(
                [.. frames.Where(frame => frame.Kind is not ("entry" or "marker"))],
                [.. frames.Where(frame => frame.Kind == "marker").Select(frame => frame.Address)]);
            _stacks.Add(id, stack);
        }
        return stack;
    }
}
