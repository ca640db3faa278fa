using System.Globalization;
using NativeHeap.Graph.Objects;
using NativeHeap.Memory.Holding;
using NativeHeap.Symbols;

namespace NativeHeap.Graph;

/// <summary>Names the C++ classes of the blocks of a check, as <see cref="TypeStatistics"/> names them: by the symbols of their
/// virtual tables, and by nothing else.</summary>
internal static class LeakTypes
{
    private static readonly TimeSpan DemanglerPatience = TimeSpan.FromSeconds(10);

    /// <summary>The same graph with names.</summary>
    /// <param name="graph">What was found.</param>
    /// <param name="held">The process, which may run on; its binaries are read.</param>
    public static LeakGraph Name(LeakGraph graph, IHeldProcess held)
    {
        var words = graph.Blocks.Select(block => block.Table).Concat(graph.Reachable.Select(group => group.Table))
            .Where(word => word != 0).ToHashSet();
        if (words.Count == 0)
        {
            return graph;
        }

        using var modules = new ModuleMap(held.Mappings, string.Create(CultureInfo.InvariantCulture, $"/proc/{held.Pid}/root"));
        var demangler = new Demangler(SymbolTools.Find().Demangler, DemanglerPatience);
        var tables = new VirtualTables(modules, demangler);
        var symbols = words.Select(word => (Word: word, Symbol: tables.TableAt(word))).Where(pair => pair.Symbol is not null)
            .ToDictionary(pair => pair.Word, pair => pair.Symbol!);
        if (symbols.Count == 0)
        {
            return graph;
        }

        tables.Learn(symbols.Values);
        var names = symbols.ToDictionary(pair => pair.Key, pair => tables.Spoken(pair.Value));
        return graph with
        {
            Blocks = [.. graph.Blocks.Select(block => block with { Type = names.GetValueOrDefault(block.Table) })],
            Reachable = [.. graph.Reachable.Select(group => group with { Type = names.GetValueOrDefault(group.Table) })],
        };
    }
}
