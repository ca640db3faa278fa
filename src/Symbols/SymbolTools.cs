using NativeHeap.Memory;

namespace NativeHeap.Symbols;

/// <summary>The programs that know more than symbol tables tell: paths, null when one is not installed.</summary>
/// <param name="LlvmSymbolizer">Functions, files, lines and inlined functions; preferred.</param>
/// <param name="Addr2Line">The same, of binutils.</param>
/// <param name="Demangler">c++filt or llvm-cxxfilt.</param>
public sealed record SymbolTools(string? LlvmSymbolizer, string? Addr2Line, string? Demangler)
{
    // Versions that Linux distributions install under a name of their own; the newest first.
    private static readonly string[] s_versions =
        [.. Enumerable.Range(14, 17).Reverse().Select(version => "-" + version)];

    /// <summary>Looks for the tools in the folders of a search path.</summary>
    /// <param name="searchPath">As PATH; null: our own.</param>
    public static SymbolTools Find(string? searchPath = null)
    {
        var folders = (searchPath ?? Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
            .Split(':', StringSplitOptions.RemoveEmptyEntries);
        return new SymbolTools(
            FindOne(folders, ["llvm-symbolizer", .. s_versions.Select(version => "llvm-symbolizer" + version)]),
            FindOne(folders, ["addr2line"]),
            FindOne(folders, ["c++filt", "llvm-cxxfilt", .. s_versions.Select(version => "llvm-cxxfilt" + version)]));
    }

    private static string? FindOne(string[] folders, string[] names) => names
        .SelectMany(name => folders.Select(folder => Path.Combine(folder, name)))
        .FirstOrDefault(path =>
            FileStatus.TryRead(path, out _) is { Kind: FileKind.Regular } && FileStatus.MayExecute(path));
}
