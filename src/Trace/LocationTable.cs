using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>The places in code of a trace and what they resolved to.</summary>
public sealed class LocationTable
{
    private readonly List<Location> _locations;
    private readonly ResolvedFrame[]?[] _names;

    private LocationTable(int moduleCount, List<Location> locations, ResolvedFrame[]?[] names)
    {
        ModuleCount = moduleCount;
        _locations = locations;
        _names = names;
    }

    /// <summary>Modules: ids are 1 to <c>ModuleCount</c>.</summary>
    public int ModuleCount { get; }

    /// <summary>Locations: ids are 1 to <c>Count</c>.</summary>
    public int Count => _locations.Count;

    /// <summary>The place.</summary>
    public Location this[LocationId id] => _locations[id.Value - 1];

    /// <summary>Its functions, the innermost inlined one first; empty when it was not resolved.</summary>
    public IReadOnlyList<ResolvedFrame> Names(LocationId id) => _names[id.Value - 1] ?? [];

    internal static LocationTable Read(TraceDatabase database)
    {
        var modules = ReadModules(database);
        var locations = ReadLocations(database, modules);
        return new LocationTable(modules.Count, locations, ReadNames(database, locations.Count, ReadStrings(database)));
    }

    private static List<Binary> ReadModules(TraceDatabase database)
    {
        var modules = new List<Binary>();
        using var statement = new Statement(database, "module", "id, path, build_id");
        while (statement.Next())
        {
            statement.Int(0, modules.Count + 1, modules.Count + 1);
            modules.Add(new Binary(statement.Text(1), statement.TextOrNull(2)));
        }

        return modules;
    }

    private static List<Location> ReadLocations(TraceDatabase database, List<Binary> modules)
    {
        var locations = new List<Location>();
        using var statement = new Statement(database, "location", "id, module_id, offset, kind");
        while (statement.Next())
        {
            statement.Int(0, locations.Count + 1, locations.Count + 1);
            if (!FrameKinds.TryParse(statement.Text(3), out var kind))
            {
                throw statement.Damaged(3, "no kind of frame");
            }

            var module = statement.IntOrNull(1, 1, modules.Count);
            locations.Add(new Location(
                module is null ? null : modules[module.Value - 1], ReadOffset(statement, kind), kind));
        }

        return locations;
    }

    private static ulong ReadOffset(Statement statement, FrameKind kind)
    {
        var offset = statement.Address(2);
        var known = kind switch
        {
            FrameKind.Entry => offset <= int.MaxValue && Enum.IsDefined((EntryPoint)(int)offset),
            FrameKind.Marker => offset <= int.MaxValue && Enum.IsDefined((StackMarker)(int)offset),
            _ => true,
        };
        return known ? offset : throw statement.Damaged(2, "no known marker");
    }

    private static List<string> ReadStrings(TraceDatabase database)
    {
        var strings = new List<string>();
        using var statement = new Statement(database, "string", "id, text");
        while (statement.Next())
        {
            statement.Int(0, strings.Count + 1, strings.Count + 1);
            strings.Add(statement.Text(1));
        }

        return strings;
    }

    private static ResolvedFrame[]?[] ReadNames(TraceDatabase database, int locationCount, List<string> strings)
    {
        var names = new ResolvedFrame[]?[locationCount];
        var frames = new List<ResolvedFrame>();
        var location = 0;
        using var statement = new Statement(
            database, "frame", "location_id, position, function_id, file_id, line, inlined");
        while (statement.Next())
        {
            var next = statement.Int(0, Math.Max(location, 1), locationCount);
            if (next != location)
            {
                Store(names, location, frames);
                location = next;
            }

            statement.Int(1, frames.Count, Math.Min(frames.Count, Limits.InlineDepth));
            frames.Add(ReadName(statement, strings));
        }

        Store(names, location, frames);
        return names;
    }

    private static void Store(ResolvedFrame[]?[] names, int location, List<ResolvedFrame> frames)
    {
        if (location != 0)
        {
            names[location - 1] = [.. frames];
            frames.Clear();
        }
    }

    private static ResolvedFrame ReadName(Statement statement, List<string> strings)
    {
        var function = statement.IntOrNull(2, 1, strings.Count);
        var file = statement.IntOrNull(3, 1, strings.Count);
        var line = statement.IntOrNull(4, 0, int.MaxValue);
        return new ResolvedFrame(
            function is null ? null : strings[function.Value - 1],
            file is null ? null : strings[file.Value - 1],
            line == 0 ? null : line,
            statement.Int(5, 0, 1) == 1);
    }
}
