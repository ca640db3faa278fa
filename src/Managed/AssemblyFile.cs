using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace NativeHeap.Managed;

/// <summary>
/// An assembly on disk and its PDB (portable, beside it or embedded): methods and lines by token. A file that is not
/// what it should be answers nothing. Not for several threads.
/// </summary>
internal sealed class AssemblyFile : IDisposable
{
    private readonly PEReader _image;
    private readonly MetadataReader _metadata;
    private readonly MetadataReaderProvider? _symbols;
    private readonly MetadataReader? _pdb;
    private readonly StateMachines _machines;
    private readonly Dictionary<int, MethodName?> _names = [];
    private readonly Dictionary<int, (int Offset, int Line, DocumentHandle File)[]> _points = [];
    private readonly Dictionary<DocumentHandle, string> _files = [];
    private readonly Dictionary<int, IReadOnlyList<IlCall>> _calls = [];
    private Dictionary<string, TypeDefinitionHandle>? _types;

    private AssemblyFile(PEReader image, MetadataReader metadata, MetadataReaderProvider? symbols)
    {
        _image = image;
        _metadata = metadata;
        _symbols = symbols;
        _pdb = symbols?.GetMetadataReader();
        _machines = new StateMachines(metadata);
    }

    /// <summary>Opens an assembly.</summary>
    /// <param name="assembly">As the process loaded it.</param>
    /// <param name="note">Called when something is there but cannot be used.</param>
    /// <returns>Null when there is no such file, or it is another one now.</returns>
    internal static AssemblyFile? TryOpen(LoadedAssembly assembly, Action<string> note)
    {
        PEReader? image = null;
        try
        {
            if (!File.Exists(assembly.Path))
            {
                return null;
            }

            image = new PEReader(File.OpenRead(assembly.Path));
            var metadata = image.GetMetadataReader();
            if (assembly.PdbId is { } wanted && PdbIdOf(image) is { } found && found != wanted)
            {
                note($"{assembly.Path} is another build than the one that ran: its methods have no lines");
                image.Dispose();
                return null;
            }

            return new AssemblyFile(image, metadata, OpenSymbols(assembly.Path, image, note));
        }
        catch (Exception error) when (IsDamage(error))
        {
            note($"{assembly.Path} cannot be read ({EventStream.OneLine(error)})");
            image?.Dispose();
            return null;
        }
    }

    /// <summary>A method by its token; null when there is none.</summary>
    internal MethodName? FindMethod(int token)
    {
        if (!_names.TryGetValue(token, out var name))
        {
            name = Guard(() => ReadName(token));
            _names.Add(token, name);
        }

        return name;
    }

    /// <summary>Where a method was written.</summary>
    /// <param name="token">The method.</param>
    /// <param name="ilOffset">What is executed; the last place that has a line at or before it counts.</param>
    /// <returns>Null when it has no line.</returns>
    internal (string File, int Line)? FindLine(int token, int ilOffset)
    {
        if (_pdb is null)
        {
            return null;
        }

        if (!_points.TryGetValue(token, out var points))
        {
            points = Guard(() => ReadPoints(token)) ?? [];
            _points.Add(token, points);
        }

        var index = Array.FindLastIndex(points, point => point.Offset <= ilOffset);
        if (index < 0)
        {
            return null;
        }

        var file = Guard(() => FileOf(points[index].File));
        return file is null ? null : (file, points[index].Line);
    }

    /// <summary>The calls in a method's IL; none when it has no IL or that cannot be read.</summary>
    internal IReadOnlyList<IlCall> FindCalls(int token)
    {
        if (!_calls.TryGetValue(token, out var calls))
        {
            calls = Guard(() => ReadCalls(token)) ?? [];
            _calls.Add(token, calls);
        }

        return calls;
    }

    /// <summary>Whether methods have lines.</summary>
    internal bool HasLines => _pdb is not null;

    /// <summary>Finds a method by what the runtime's events call it.</summary>
    /// <param name="type">Full name in metadata's spelling, with or without instantiation.</param>
    /// <param name="name">Its name.</param>
    /// <param name="signature">In IL's spelling; tells overloads apart.</param>
    /// <returns>Its token; 0 when there is none, or more than one could be meant.</returns>
    internal int FindToken(string type, string name, string signature)
    {
        var bracket = type.IndexOf('[', StringComparison.Ordinal);
        _types ??= Guard(ReadTypes) ?? [];
        return _types.TryGetValue(bracket < 0 ? type : type[..bracket], out var handle)
            ? Guard(() => (int?)FindToken(handle, name, signature)) ?? 0
            : 0;
    }

    public void Dispose()
    {
        _symbols?.Dispose();
        _image.Dispose();
    }

    private static bool IsDamage(Exception error) => error
        is BadImageFormatException or IOException or UnauthorizedAccessException or InvalidOperationException
        or ArgumentException or OverflowException or NotSupportedException or InvalidDataException;

    private static T? Guard<T>(Func<T?> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (IsDamage(error))
        {
            return default;
        }
    }

    private static Guid? PdbIdOf(PEReader image)
    {
        foreach (var entry in image.ReadDebugDirectory())
        {
            if (entry.Type == DebugDirectoryEntryType.CodeView)
            {
                return image.ReadCodeViewDebugDirectoryData(entry).Guid;
            }
        }

        return null;
    }

    private static MetadataReaderProvider? OpenSymbols(string path, PEReader image, Action<string> note)
    {
        try
        {
            var found = image.TryOpenAssociatedPortablePdb(
                path, name => File.Exists(name) ? File.OpenRead(name) : null, out var provider, out _);
            if (!found && File.Exists(Path.ChangeExtension(path, ".pdb")))
            {
                note($"{Path.ChangeExtension(path, ".pdb")} is not the PDB of {Path.GetFileName(path)}: its methods have no lines");
            }

            return found ? provider : null;
        }
        catch (Exception error) when (IsDamage(error))
        {
            note($"the PDB of {path} cannot be read ({EventStream.OneLine(error)}): its methods have no lines");
            return null;
        }
    }

    private MethodName? ReadName(int token)
    {
        if (ToMethod(token) is not { } handle)
        {
            return null;
        }

        var original = _machines.FindOriginal(handle, _pdb) ?? handle;
        return new MethodName(MethodText.Describe(_metadata, original), MetadataTokens.GetToken(original));
    }

    private MethodDefinitionHandle? ToMethod(int token)
    {
        const int methodTable = 0x06;
        var row = token & 0xFFFFFF;
        return token >> 24 == methodTable && row > 0 && row <= _metadata.MethodDefinitions.Count
            ? MetadataTokens.MethodDefinitionHandle(row)
            : null;
    }

    // Hidden points are the compiler's own code: it counts to the line before.
    private (int Offset, int Line, DocumentHandle File)[] ReadPoints(int token) =>
        ToMethod(token) is not { } handle
            ? []
            : [.. _pdb!.GetMethodDebugInformation(handle.ToDebugInformationHandle()).GetSequencePoints()
                .Where(point => !point.IsHidden)
                .Select(point => (point.Offset, point.StartLine, point.Document))];

    private List<IlCall>? ReadCalls(int token)
    {
        const int abstractOrNative = 0;
        return ToMethod(token) is { } handle
            && _metadata.GetMethodDefinition(handle).RelativeVirtualAddress is var address && address != abstractOrNative
            && _image.GetMethodBody(address).GetILContent() is var il
            ? IlCalls.Read(_metadata, il)
            : null;
    }

    private string FileOf(DocumentHandle handle)
    {
        if (!_files.TryGetValue(handle, out var file))
        {
            file = _pdb!.GetString(_pdb.GetDocument(handle).Name);
            _files.Add(handle, file);
        }

        return file;
    }

    private Dictionary<string, TypeDefinitionHandle> ReadTypes()
    {
        var types = new Dictionary<string, TypeDefinitionHandle>(StringComparer.Ordinal);
        var names = new Dictionary<TypeDefinitionHandle, string>();
        foreach (var handle in _metadata.TypeDefinitions)
        {
            // Whatever encloses a type stands before it (ECMA-335 II.22).
            var type = _metadata.GetTypeDefinition(handle);
            var name = _metadata.GetString(type.Name);
            var space = _metadata.GetString(type.Namespace);
            var outer = type.GetDeclaringType();
            var full = !outer.IsNil && names.TryGetValue(outer, out var around) ? $"{around}+{name}"
                : space.Length == 0 ? name : $"{space}.{name}";
            names[handle] = full;
            types.TryAdd(full, handle);
        }

        return types;
    }

    private int FindToken(TypeDefinitionHandle type, string name, string signature)
    {
        var methods = _metadata.GetTypeDefinition(type).GetMethods()
            .Where(handle => _metadata.StringComparer.Equals(_metadata.GetMethodDefinition(handle).Name, name))
            .ToList();
        if (methods.Count > 1)
        {
            var parameters = RuntimeNames.ParameterText(signature);
            methods.RemoveAll(handle =>
                SignatureSpelling.Parameters(_metadata.GetMethodDefinition(handle)) != parameters);
        }

        return methods.Count == 1 ? MetadataTokens.GetToken(methods[0]) : 0;
    }
}

/// <summary>A method as its author wrote it.</summary>
/// <param name="Text">Namespace.Type.Method(Parameters).</param>
/// <param name="Token">Its token; another than was asked for when that was a state machine's.</param>
internal sealed record MethodName(string Text, int Token);
