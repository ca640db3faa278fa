using NativeHeap.Analysis.Suppressions;
using NativeHeap.Graph;
using NativeHeap.Symbols;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Reads the heap-checks of a trace. Not for several threads.</summary>
internal sealed class LeakChecks(TraceReader trace, MergedTree tree, LeakSuppressions suppressions, LinkageNames linkage)
{
    /// <summary>Reads a check.</summary>
    /// <param name="row">Its row.</param>
    /// <param name="since">An earlier check of the process, whose leaks are left out; null: none.</param>
    /// <exception cref="TraceException">It is damaged.</exception>
    public LeakCheck Read(LeakCheckRow row, LeakCheckRow? since)
    {
        var graph = Graph(row);
        var builder = new LeakCheckBuilder(
            graph, tree, suppressions, linkage, since is null ? null : Known(Graph(since)));
        return builder.Build(trace.Processes[row.Process.Value - 1], row);
    }

    private LeakGraph Graph(LeakCheckRow row)
    {
        try
        {
            return LeakGraphFormat.Read(trace.LeakGraph(row.Number), trace.Stacks.Count);
        }
        catch (InvalidDataException error)
        {
            throw new TraceException(trace.Path, $"damaged ({error.Message})", error);
        }
    }

    // A block is known by address, size and stack: one that was freed and allocated anew just so is taken for the old.
    private static HashSet<(ulong Address, ulong Bytes, int Stack)> Known(LeakGraph graph) =>
        [.. graph.Blocks.Select(block => (block.Address, block.Bytes, block.Stack))];
}
