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
    private readonly Dictionary<MethodCode, Dictionary<ulong, int>> _calls = [];
    private readonly Dictionary<AssemblyFile, CallPlaces> _callPlaces = [];

    /// <summary>Remarks for a person, one line each: an assembly or a PDB that is not the right one.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>What a piece of code is to those who call it.</summary>
    /// <param name="map">The process's code.</param>
    /// <param name="code">Of that map.</param>
    public CalledMethod Describe(CodeMap map, MethodCode code)
    {
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(code);
        var (assembly, token) = OriginOf(map, code);
        return new CalledMethod(assembly?.Path, token, code.Namespace, code.Name);
    }

    /// <summary>Takes in what was called from places in a piece of code, so that each gets the line of its call when it is
    /// named. See <see cref="CallPlaces"/>.</summary>
    /// <param name="map">The process's code.</param>
    /// <param name="code">Of that map.</param>
    /// <param name="places">Every place in it of which one callee is known, once.</param>
    public void TakeCalls(CodeMap map, MethodCode code, IReadOnlyList<CallPlace> places)
    {
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(code);
        var (assembly, token) = OriginOf(map, code);
        if (token != 0 && assembly is not null && Open(assembly) is { HasLines: true } file)
        {
            if (!_callPlaces.TryGetValue(file, out var finder))
            {
                finder = new CallPlaces(file, assembly.Path);
                _callPlaces.Add(file, finder);
            }

            _calls[code] = finder.Find(code, token, places);
        }
    }

    /// <summary>Names a place in code.</summary>
    /// <param name="map">The process's code.</param>
    /// <param name="code">What the address was, of that map.</param>
    /// <param name="address">A return address.</param>
    public NamedCode Name(CodeMap map, MethodCode code, ulong address)
    {
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(code);
        var inside = address - 1;
        var origin = OriginOf(map, code);
        var file = origin.Assembly is { } assembly ? Open(assembly) : null;
        if (!_names.TryGetValue(code, out var name))
        {
            name = (origin.Token == 0 ? null : file?.FindMethod(origin.Token)?.Text) ?? RuntimeNames.Describe(code);
            _names.Add(code, name);
        }

        var mapped = code.FindIlOffset(inside);
        int? call = _calls.TryGetValue(code, out var calls) && calls.TryGetValue(address, out var known) ? known : null;
        var il = call is >= 0 ? call : mapped;
        var line = il is { } offset && origin.Token != 0 ? file?.FindLine(origin.Token, offset) : null;
        return call < 0
            ? new NamedCode(code, origin.Assembly?.Path, origin.Token, name, line?.File, null, null)
            : new NamedCode(code, origin.Assembly?.Path, origin.Token, name, line?.File, line?.Line, il);
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

    private (LoadedAssembly? Assembly, int Token) OriginOf(CodeMap map, MethodCode code)
    {
        if (!_origins.TryGetValue(code, out var origin))
        {
            origin = FindOrigin(map, code);
            _origins.Add(code, origin);
        }

        return origin;
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
