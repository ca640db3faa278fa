using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>Linkage names (mangled) of functions, out of the symbol tables of their binaries. For one thread.</summary>
public sealed class LinkageNames : IDisposable
{
    private readonly ModuleLocator _locator = new(new SymbolizerOptions(), _ => { });
    private readonly Dictionary<Binary, ModuleSymbols> _modules = [];

    /// <summary>The name of the function at a place in native code; null when none is known, or the binary is not there
    /// any more.</summary>
    public string? Find(Location location)
    {
        ArgumentNullException.ThrowIfNull(location);
        if (location is not { Kind: FrameKind.Native, Module: { } binary, Offset: > 0 })
        {
            return null;
        }

        if (!_modules.TryGetValue(binary, out var module))
        {
            _modules.Add(binary, module = _locator.Open(binary));
        }

        return module.FindFunction(location.Offset - 1) is { } name ? FunctionNames.WithoutSuffixes(name) : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var module in _modules.Values)
        {
            module.Dispose();
        }
    }
}
