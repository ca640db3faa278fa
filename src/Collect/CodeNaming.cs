using NativeHeap.Collect.Stacks;
using NativeHeap.Managed;
using NativeHeap.Model;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>Names the places of a finished recording that lie in code of .NET, and says in the trace what that code
/// was. For one thread.</summary>
internal sealed class CodeNaming(RecordingShared shared, TraceWriter writer) : IDisposable
{
    private const int RowsAtOnce = 16 * 1024;

    private readonly MethodNamer _namer = new();
    private readonly Dictionary<MethodCode, int> _methods = [];
    private readonly Dictionary<int, MethodCode> _owners = []; // by location
    private int _modules = shared.Registry.Modules.Count;

    /// <summary>Remarks for a person.</summary>
    public IReadOnlyList<string> Notes => _namer.Notes;

    /// <summary>Names what can be named.</summary>
    /// <param name="code">What is known of a process's code; null: nothing.</param>
    /// <param name="cancellation">Ends the work early; what was named stays.</param>
    /// <returns>Of every process with such places how many it has, and how many of them stay without a name.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public IReadOnlyDictionary<ProcessId, (int Places, int Nameless)> Complete(
        Func<ProcessId, CodeMap?> code, CancellationToken cancellation)
    {
        FindOwners(code, cancellation);
        TakeCalls(code, cancellation);
        var counts = new Dictionary<ProcessId, (int Places, int Nameless)>();
        var places = shared.Registry.Code
            .OrderBy(place => place.Process.Value).ThenBy(place => place.Address).ThenBy(place => place.Epoch);
        foreach (var batch in places.Chunk(RowsAtOnce))
        {
            writer.Begin();
            foreach (var place in batch)
            {
                var named = !cancellation.IsCancellationRequested && code(place.Process) is { } map && TryName(map, place);
                var (all, nameless) = counts.GetValueOrDefault(place.Process);
                counts[place.Process] = (all + 1, named ? nameless : nameless + 1);
            }

            writer.Commit();
        }

        return counts;
    }

    public void Dispose() => _namer.Dispose();

    private bool TryName(CodeMap map, CodePlace place)
    {
        var location = new LocationId(place.Location);
        var image = map.ImageOf(place.Address - 1);
        var offset = image is { } inside ? place.Address - inside.Start : place.Address;
        if (!_owners.TryGetValue(place.Location, out var code))
        {
            if (image is not null)
            {
                writer.AddLocation(location, ModuleId(image.Path), offset, FrameKind.Managed);
            }

            return false;
        }

        var named = _namer.Name(map, code, place.Address);
        var path = named.AssemblyPath ?? image?.Path;
        var module = path is null ? (int?)null : ModuleId(path);
        writer.AddLocation(location, module, offset, FrameKind.Managed);
        writer.Put(place.ToRow(MethodId(place.Process, named, module), named.IlOffset));
        writer.WriteFrames(location, [new ResolvedFrame(named.Function, named.File, named.Line, Inlined: false)]);
        return true;
    }

    private void FindOwners(Func<ProcessId, CodeMap?> code, CancellationToken cancellation)
    {
        foreach (var place in shared.Registry.Code)
        {
            if (cancellation.IsCancellationRequested)
            {
                return;
            }

            if (code(place.Process) is { } map && FindOwner(map, place) is { } owner)
            {
                _owners[place.Location] = owner;
            }
        }
    }

    // The line of a call is found by what was called, which the stacks know.
    private void TakeCalls(Func<ProcessId, CodeMap?> code, CancellationToken cancellation)
    {
        var callees = new CalleeTable(shared.Registry, _owners).Read();
        var byCode = shared.Registry.Code
            .Where(place => callees.ContainsKey(place.Location) && _owners.ContainsKey(place.Location))
            .GroupBy(place => _owners[place.Location]);
        foreach (var group in byCode)
        {
            if (cancellation.IsCancellationRequested || code(group.First().Process) is not { } map)
            {
                continue;
            }

            var places = new Dictionary<ulong, CallPlace>();
            foreach (var place in group)
            {
                var callee = callees[place.Location];
                places.TryAdd(place.Address, new CallPlace(place.Address, callee is null ? null : _namer.Describe(map, callee)));
            }

            _namer.TakeCalls(map, group.Key, [.. places.Values]);
        }
    }

    // Where code comes and goes a name must be sure, or there is none.
    private MethodCode? FindOwner(CodeMap map, CodePlace place)
    {
        var inside = place.Address - 1;
        if (place.Epoch == 0)
        {
            return map.Find(inside, shared.StartNs + (place.SeenMs * 1_000_000UL));
        }

        if (place.Epoch >= WireConstants.LastReuseEpoch)
        {
            return null;
        }

        return shared.Registry.Reused.TryGetValue((place.Process, place.Address, place.Epoch), out var sighting)
            ? map.FindOwner(inside, sighting.Method, sighting.SeenNs)
            : map.FindOnly(inside);
    }

    private int ModuleId(string path)
    {
        var id = shared.Registry.ModuleId(new Binary(path, null));
        if (id > _modules)
        {
            _modules = id;
            writer.AddModule(id, new Binary(path, null));
        }

        return id;
    }

    private int MethodId(ProcessId process, NamedCode named, int? module)
    {
        var code = named.Code;
        if (!_methods.TryGetValue(code, out var id))
        {
            id = _methods.Count + 1;
            _methods.Add(code, id);
            writer.AddMethod(new MethodRow(
                id,
                process,
                module,
                named.Token == 0 ? null : named.Token,
                code.Namespace,
                code.Name,
                code.Signature,
                code.Tier.ToString().ToLowerInvariant(),
                code.Start,
                code.Size == 0 ? null : code.Size,
                code.LoadNs == 0 ? null : shared.Relative(code.LoadNs),
                code.UnloadNs == MethodCode.NotUnloaded ? null : shared.Relative(code.UnloadNs)));
        }

        return id;
    }
}
