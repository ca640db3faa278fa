using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Stacks;

/// <summary>
/// Leaf of a region's calling-context tree → stack of the trace, for one process: a node is addresses, and what they
/// mean depends on whose they are. Nodes that come to the same places become one stack. For one thread.
/// </summary>
internal sealed class StackResolver : IDisposable
{
    private const uint FirstGeneration = (uint)Marker.Generation;
    private const int MostDepth = (int)WireConstants.MaxFrames + 16;
    private const long MappingsAgeMs = 2000;
    private const int EpochShift = (int)WireConstants.ReuseEpochShift; // a node's pc: address below, reuse epoch above

    private readonly TrackedProcess _process;
    private readonly RegionView _region;
    private readonly StackRegistry _registry;
    private readonly IMappingSource? _mappings;
    private readonly NodeMap _known;
    private readonly Dictionary<(ulong Pc, uint Generation), (int Location, CodePlace? Code)> _places = [];
    private int _modulesOfPlaces; // the modules that there were when the places were found
    private readonly List<(uint Node, ulong Pc)> _path = [];
    private long _mappingsReadMs = -MappingsAgeMs;
    private IReadOnlyList<LoadedModule> _mapped = [];

    public StackResolver(TrackedProcess process, RegionView region, StackRegistry registry, IMappingSource? mappings)
    {
        _process = process;
        _region = region;
        _known = new NodeMap(region.Shape.NodeCapacity);
        _registry = registry;
        _mappings = mappings;
    }

    /// <summary>Resolves a leaf.</summary>
    /// <param name="leaf">Any number.</param>
    /// <param name="seenMs">When it allocated first, milliseconds since the trace's start.</param>
    /// <param name="mayWait">True: a place that no module covers yet is no answer, ask again later.</param>
    /// <returns>The stack's id, or 0: ask again.</returns>
    public int Resolve(uint leaf, uint seenMs, bool mayWait)
    {
        var (stack, generation) = Climb(leaf);
        for (var i = _path.Count - 1; i >= 0; i--)
        {
            var (node, pc) = _path[i];
            if (pc is >= FirstGeneration and < WireConstants.FirstCodeAddress)
            {
                generation = (uint)pc - FirstGeneration + 1;
            }
            else if (_registry.Stacks.Depth(stack) < MostDepth)
            {
                var location = Locate(pc, generation, seenMs, mayWait);
                if (location == 0)
                {
                    return 0;
                }

                stack = _registry.Stacks.IdOf(stack, location);
            }

            _known.Set(node, stack, generation);
        }

        // A leaf that is no node, or a marker alone: at least say that the frames are missing.
        return stack != 0 ? stack : _registry.Stacks.IdOf(0, MarkerLocation(Marker.TreeFull));
    }

    /// <summary>Frees what was kept to be quicker.</summary>
    public void Dispose()
    {
        _known.Dispose();
        _places.Clear();
        _places.TrimExcess();
        _path.Clear();
    }

    // Fills the path from the leaf up to the first node that is known, or the root.
    private (int Stack, uint Generation) Climb(uint leaf)
    {
        _path.Clear();
        var node = leaf;
        while (node != 0)
        {
            if (_known.TryGet(node, out var stack, out var generation))
            {
                return (stack, generation);
            }

            if (_path.Count >= MostDepth)
            {
                return (_registry.Stacks.IdOf(0, MarkerLocation(Marker.DepthLimit)), 0);
            }

            if (!_region.TryReadNode(node, out var pc, out var parent))
            {
                return (_registry.Stacks.IdOf(0, MarkerLocation(Marker.TreeFull)), 0);
            }

            _path.Add((node, pc));
            node = parent;
        }

        return (0, 0);
    }

    // 0: ask again. Many nodes are one place; what it is stays until there are more modules.
    private int Locate(ulong pc, uint generation, uint seenMs, bool mayWait)
    {
        var modules = 0;
        for (var process = _process; process is not null; process = process.Parent)
        {
            modules += process.Modules.Count;
        }

        if (modules != _modulesOfPlaces)
        {
            _places.Clear();
            _modulesOfPlaces = modules;
        }

        if (!_places.TryGetValue((pc, generation), out var place))
        {
            place = FindPlace(pc, generation, seenMs, mayWait);
            if (place.Location != 0)
            {
                _places.Add((pc, generation), place);
            }
        }

        if (place.Code is not null)
        {
            place.Code.SeenMs = Math.Min(place.Code.SeenMs, seenMs);
        }

        return place.Location;
    }

    private (int Location, CodePlace? Code) FindPlace(ulong pc, uint generation, uint seenMs, bool mayWait)
    {
        if (pc < WireConstants.FirstCodeAddress)
        {
            var marker = (Marker)pc;
            return (pc is > 0 and <= WireConstants.LastEntry
                ? _registry.LocationId(0, pc, FrameKind.Entry)
                : MarkerLocation(Enum.IsDefined(marker) ? marker : Marker.Lost), null);
        }

        var address = pc & WireConstants.CodeAddressMask;
        var module = FindModule(address - 1, generation);
        if (module is null)
        {
            if (mayWait && _process.Region.Modules.Unfilled > 0)
            {
                return (0, null);
            }

            module = FindMapped(address - 1);
        }

        if (module is not null)
        {
            return (_registry.LocationId(module.Module, address - module.Bias, FrameKind.Native), null);
        }

        var code = _registry.CodeAt(_process.Id, address, (int)(pc >> EpochShift), seenMs);
        return (code.Location, code);
    }

    private int MarkerLocation(Marker marker) => _registry.LocationId(0, (ulong)marker, FrameKind.Marker);

    // The rule of records.def: own records, then the ancestors'; the largest generation, of equal ones the latest.
    private LoadedModule? FindModule(ulong address, uint generation)
    {
        for (var process = _process; process is not null && process.Region == _process.Region; process = process.Parent)
        {
            LoadedModule? best = null;
            foreach (var module in process.Modules)
            {
                if (address >= module.Start && address < module.End && module.Generation <= generation
                    && (best is null || module.Generation >= best.Generation))
                {
                    best = module;
                }
            }

            if (best is not null)
            {
                return best;
            }
        }

        return null;
    }

    // Looks into the process itself, at most every other second: code that belongs to no file stays unknown for good.
    private LoadedModule? FindMapped(ulong address)
    {
        if (_mappings is null || _process.HasEnded)
        {
            return Find(address);
        }

        if (Find(address) is not { } module)
        {
            var now = Environment.TickCount64;
            if (now - _mappingsReadMs < MappingsAgeMs)
            {
                return null;
            }

            _mappingsReadMs = now;
            _places.Clear(); // what was in no file may be in one now
            _mapped = [.. (_mappings.Read(_process.Pid) ?? []).Select(Take)];
            return Find(address);
        }

        return module;
    }

    private LoadedModule? Find(ulong address) =>
        _mapped.FirstOrDefault(module => address >= module.Start && address < module.End);

    private LoadedModule Take(MappedModule module) => new()
    {
        Row = 0,
        Module = _registry.ModuleId(new Binary(module.Path, module.BuildId)),
        Start = module.Start,
        End = module.End,
        Bias = module.Bias,
        Generation = 0,
        LoadNs = 0,
    };
}
