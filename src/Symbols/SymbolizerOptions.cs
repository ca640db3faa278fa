namespace NativeHeap.Symbols;

/// <summary>What a symbolizer may use and how long it may take.</summary>
public sealed record SymbolizerOptions
{
    /// <summary>Folders that hold separate debug files, by build id (.build-id/xx/….debug) or by debug link.</summary>
    public IReadOnlyList<string> DebugFolders { get; init; } = DefaultDebugFolders();

    /// <summary>Folders that debuginfod clients fill, by build id (…/debuginfo). Only what is there is used.</summary>
    public IReadOnlyList<string> CacheFolders { get; init; } = DefaultCacheFolders();

    /// <summary>The tools; found in PATH unless given.</summary>
    public SymbolTools Tools { get; init; } = SymbolTools.Find();

    /// <summary>How long a tool may take for one answer before it is given up for that binary. The first answer of a
    /// binary takes longest: its debug information is read.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long tools may work altogether; from then on names come from symbol tables alone.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(10);

    private static string[] DefaultDebugFolders() => ["/usr/lib/debug"];

    private static List<string> DefaultCacheFolders()
    {
        var folders = new List<string>();
        if (Environment.GetEnvironmentVariable("DEBUGINFOD_CACHE_PATH") is { Length: > 0 } own)
        {
            folders.Add(own);
        }

        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache)
        {
            folders.Add(Path.Combine(cache, "debuginfod_client"));
        }
        else if (Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home)
        {
            folders.Add(Path.Combine(home, ".cache/debuginfod_client"));
        }

        return folders;
    }
}
