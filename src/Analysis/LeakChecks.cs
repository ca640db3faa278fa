using NativeHeap.Analysis.Suppressions;
using NativeHeap.Graph;
using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Reads the heap-checks of a trace. Not for several threads.</summary>
internal sealed class LeakChecks(TraceReader trace, MergedTree tree, LeakSuppressions suppressions, LinkageNames linkage)
{
    // Of a process and those that were forked from it they are the same.
    private readonly Dictionary<(string Source, string Text), LeakSuppressions> _ofPrograms = [];

    /// <summary>Reads a check.</summary>
    /// <param name="row">Its row.</param>
    /// <param name="since">An earlier check of the process, whose leaks are left out; null: none.</param>
    /// <exception cref="TraceException">It is damaged.</exception>
    public LeakCheck Read(LeakCheckRow row, LeakCheckRow? since)
    {
        var graph = Graph(row);
        var process = trace.Processes[row.Process.Value - 1];
        var builder = new LeakCheckBuilder(
            graph, tree, SuppressionsOf(process, row), linkage, since is null ? null : Known(Graph(since)));
        return builder.Build(process, row);
    }

    private LeakSuppressions SuppressionsOf(ProcessInfo process, LeakCheckRow row)
    {
        if (!suppressions.TakesPrograms || row.Suppressions is not { } text)
        {
            return suppressions;
        }

        var source = "__lsan_default_suppressions of " + (process.Executable is { } path ? Path.GetFileName(path) : process.Pid);
        if (!_ofPrograms.TryGetValue((source, text), out var all))
        {
            _ofPrograms.Add((source, text), all = suppressions.Then(LeakSuppressions.OfProgram(text, source)));
        }

        return all;
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
