using NativeHeap.Collect.Stacks;
using NativeHeap.Managed;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>Names the places of a finished recording that lie in code of .NET, and says in the trace what that code
/// was. For one thread.</summary>
internal sealed class CodeNaming(RecordingShared shared, TraceWriter writer) : IDisposable
{
    private const int RowsAtOnce = 16 * 1024;

    private readonly MethodNamer _namer = new();
    private readonly Dictionary<MethodCode, int> _methods = [];
    private int _modules = shared.Registry.Modules.Count;

    /// <summary>Remarks for a person.</summary>
    public IReadOnlyList<string> Notes => _namer.Notes;

    /// <summary>Names what can be named.</summary>
    /// <param name="code">What is known of a process's code; null: nothing.</param>
    /// <param name="cancellation">Ends the work early; what was named stays.</param>
    /// <returns>Processes of which places stay without a name, and how many.</returns>
    /// <exception cref="TraceWriteException">The trace cannot be written.</exception>
    public IReadOnlyDictionary<ProcessId, int> Complete(
        Func<ProcessId, CodeMap?> code, CancellationToken cancellation)
    {
        var nameless = new Dictionary<ProcessId, int>();
        var places = shared.Registry.Code
            .OrderBy(place => place.Process.Value).ThenBy(place => place.Address).ThenBy(place => place.Epoch);
        foreach (var batch in places.Chunk(RowsAtOnce))
        {
            writer.Begin();
            CodePlace? before = null;
            NamedCode? known = null;
            foreach (var place in batch)
            {
                var isLater = before is not null && before.Process == place.Process && before.Address == place.Address;
                known = cancellation.IsCancellationRequested || code(place.Process) is not { } map
                    ? null
                    : Name(map, place, isLater ? known?.Code : null);
                before = place;
                if (known is null)
                {
                    nameless[place.Process] = nameless.GetValueOrDefault(place.Process) + 1;
                }
            }

            writer.Commit();
        }

        return nameless;
    }

    public void Dispose() => _namer.Dispose();

    private NamedCode? Name(CodeMap map, CodePlace place, MethodCode? after)
    {
        var location = new LocationId(place.Location);
        var seenNs = shared.StartNs + (place.SeenMs * 1_000_000UL);
        var image = map.ImageOf(place.Address - 1);
        var offset = image is { } inside ? place.Address - inside.Start : place.Address;
        if (_namer.Name(map, place.Address, seenNs, after) is not { } named)
        {
            if (image is not null)
            {
                writer.AddLocation(location, ModuleId(image.Path), offset, FrameKind.Managed);
            }

            return null;
        }

        var path = named.AssemblyPath ?? image?.Path;
        var module = path is null ? (int?)null : ModuleId(path);
        writer.AddLocation(location, module, offset, FrameKind.Managed);
        writer.Put(place.ToRow(MethodId(place.Process, named, module), named.IlOffset));
        writer.WriteFrames(location, [new ResolvedFrame(named.Function, named.File, named.Line, Inlined: false)]);
        return named;
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
