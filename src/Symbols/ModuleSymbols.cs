using System.Collections.Concurrent;
using NativeHeap.Memory.Elf;

namespace NativeHeap.Symbols;

/// <summary>The files that tell about one binary, opened and known to be of the very build that was recorded.</summary>
internal sealed class ModuleSymbols : IDisposable
{
    private readonly ElfFile? _file;
    private readonly ConcurrentDictionary<string, byte> _brokenTools = new(StringComparer.Ordinal);
    private ElfSymbolTable? _functions;

    /// <param name="linesPath">A file that tools can be asked about; null when there is none.</param>
    /// <param name="file">Where the symbol table is; becomes ours; null when there is none.</param>
    internal ModuleSymbols(string? linesPath, ElfFile? file)
    {
        LinesPath = linesPath;
        _file = file;
    }

    internal string? LinesPath { get; }

    /// <summary>Names of tools that broke down at this binary.</summary>
    internal IEnumerable<string> BrokenTools => _brokenTools.Keys.Order(StringComparer.Ordinal);

    /// <summary>Notes that a tool broke down; from any thread.</summary>
    internal void AddBrokenTool(string name) => _brokenTools[name] = 0;

    /// <summary>The function whose symbol covers an address; null when none does.</summary>
    internal string? FindFunction(ulong address)
    {
        _functions ??= _file?.ReadFunctions();
        return _functions?.Find(address)?.Name;
    }

    public void Dispose() => _file?.Dispose();
}
