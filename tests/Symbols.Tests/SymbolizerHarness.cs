using NativeHeap.Model;

namespace NativeHeap.Symbols.Tests;

/// <summary>Which of the installed tools a symbolizer may use.</summary>
public enum LineTools
{
    Llvm,
    Addr2Line,
    None,
}

internal static class SymbolizerHarness
{
    public static SymbolTools Tools(LineTools tools)
    {
        var found = SymbolTools.Find();
        Assert.SkipWhen(tools == LineTools.Llvm && found.LlvmSymbolizer is null, "llvm-symbolizer is not installed");
        return new SymbolTools(
            tools == LineTools.Llvm ? found.LlvmSymbolizer : null,
            tools == LineTools.Addr2Line ? found.Addr2Line : null,
            found.Demangler);
    }

    public static SymbolizerOptions Options(LineTools tools, params string[] debugFolders) => new()
    {
        Tools = Tools(tools),
        DebugFolders = debugFolders,
        CacheFolders = [],
    };

    public static NativeSymbolizer Symbolizer(LineTools tools, params string[] debugFolders) => new(Options(tools, debugFolders));

    public static IReadOnlyList<ResolvedFrame> Resolve(this NativeSymbolizer symbolizer, Location place) =>
        Assert.Single(symbolizer.ResolveAll([place]));

    public static IReadOnlyList<IReadOnlyList<ResolvedFrame>> ResolveAll(
        this NativeSymbolizer symbolizer, IReadOnlyList<Location> places) =>
        symbolizer.Resolve(places, TestContext.Current.CancellationToken);

    /// <summary>"function file-name:line", with a star before inlined ones.</summary>
    public static string[] Shown(this IReadOnlyList<ResolvedFrame> frames) =>
    [
        .. frames.Select(frame =>
            $"{(frame.Inlined ? "*" : "")}{frame.Function} {Path.GetFileName(frame.File)}:{frame.Line}"),
    ];
}
