namespace NativeHeap.Managed;

/// <summary>
/// Names pieces of managed code: methods by their assembly's metadata, or by what the runtime said when that cannot be
/// read; lines by the IL map of the very code and the assembly's portable PDB. Not for several threads.
/// </summary>
public sealed class MethodNamer : IDisposable
{
    private const int MostNotes = 100;

    private readonly Dictionary<LoadedAssembly, AssemblyFile?> _files = [];
    private readonly Dictionary<MethodCode, (LoadedAssembly? Assembly, int Token)> _origins = [];
    private readonly Dictionary<MethodCode, string> _names = [];
    private readonly List<string> _notes = [];

    /// <summary>Remarks for a person, one line each: an assembly or a PDB that is not the right one.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Names what an address was at a moment.</summary>
    /// <param name="map">The process's code.</param>
    /// <param name="address">A return address.</param>
    /// <param name="seenNs">See <see cref="CodeMap.Find"/>.</param>
    /// <param name="after">What was there before; null: nothing.</param>
    /// <returns>Null when the map does not know.</returns>
    public NamedCode? Name(CodeMap map, ulong address, ulong seenNs, MethodCode? after = null)
    {
        ArgumentNullException.ThrowIfNull(map);
        var inside = address - 1;
        if (map.Find(inside, seenNs, after) is not { } code)
        {
            return null;
        }

        if (!_origins.TryGetValue(code, out var origin))
        {
            origin = FindOrigin(map, code);
            _origins.Add(code, origin);
        }

        var file = origin.Assembly is { } assembly ? Open(assembly) : null;
        if (!_names.TryGetValue(code, out var name))
        {
            name = (origin.Token == 0 ? null : file?.FindMethod(origin.Token)?.Text) ?? RuntimeNames.Describe(code);
            _names.Add(code, name);
        }

        var il = code.FindIlOffset(inside);
        var line = il is { } offset && origin.Token != 0 ? file?.FindLine(origin.Token, offset) : null;
        return new NamedCode(code, origin.Assembly?.Path, origin.Token, name, line?.File, line?.Line, il);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _files.Values)
        {
            file?.Dispose();
        }

        _files.Clear();
    }

    // An entry point comes without its module: the image it lies in tells, else the one assembly that has such a method.
    private (LoadedAssembly? Assembly, int Token) FindOrigin(CodeMap map, MethodCode code)
    {
        if (code.ModuleId != 0)
        {
            return code.Tier == CodeTier.Dynamic ? default : (map.AssemblyOf(code), code.Token);
        }

        var image = map.ImageOf(code.Start)?.Path;
        (LoadedAssembly? Assembly, int Token) found = default;
        foreach (var assembly in map.Assemblies.Where(assembly => image is null || assembly.Path == image))
        {
            var token = Open(assembly)?.FindToken(code.Namespace, code.Name, code.Signature) ?? 0;
            if (token != 0 && found.Assembly is not null)
            {
                return default; // could be either
            }

            found = token != 0 ? (assembly, token) : found;
        }

        return found.Assembly is null && image is not null
            ? (map.Assemblies.FirstOrDefault(assembly => assembly.Path == image), 0)
            : found;
    }

    private AssemblyFile? Open(LoadedAssembly assembly)
    {
        if (!_files.TryGetValue(assembly, out var file))
        {
            file = AssemblyFile.TryOpen(assembly, Note);
            _files.Add(assembly, file);
        }

        return file;
    }

    private void Note(string text)
    {
        if (_notes.Count < MostNotes && !_notes.Contains(text))
        {
            _notes.Add(text);
        }
    }
}

/// <summary>A place in managed code, named.</summary>
/// <param name="Code">The code.</param>
/// <param name="AssemblyPath">The assembly's file as the runtime spells it; null for code of none (stubs, emitted
/// methods), or when it is not known.</param>
/// <param name="Token">The metadata token of the method that was compiled (of a state machine its MoveNext); 0 when it
/// has none, or it is not known.</param>
/// <param name="Function">Namespace.Type.Method(Parameters).</param>
/// <param name="File">Source file as the PDB spells it; null when unknown.</param>
/// <param name="Line">From 1; null when unknown.</param>
/// <param name="IlOffset">Of the call; null when unknown.</param>
public sealed record NamedCode(
    MethodCode Code, string? AssemblyPath, int Token, string Function, string? File, int? Line, int? IlOffset);
