using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>What one line of a source file cost, over the stacks in which it occurs, each once.</summary>
/// <param name="Line">From 1.</param>
/// <param name="LiveBytes">Alive at the end.</param>
/// <param name="AllocatedBytes">Allocated ever.</param>
/// <param name="Allocations">Allocated ever, in blocks.</param>
public sealed record LineCost(int Line, long LiveBytes, long AllocatedBytes, long Allocations);

/// <summary>The lines of a source file that allocate or call what does.</summary>
/// <param name="File">As in the debug information.</param>
/// <param name="Modules">The binaries that were built from it.</param>
/// <param name="Lines">By number.</param>
/// <param name="OwnBytes">Bytes that are alive of stacks whose innermost line is in this file: no stack counts for two files.</param>
public sealed record SourceFile(
    string File, IReadOnlyList<Binary> Modules, IReadOnlyList<LineCost> Lines, long OwnBytes);

/// <summary>Adds a trace up by lines of source.</summary>
public static class SourceLines
{
    /// <summary>The source files of a trace, those with the most live bytes of their own first.</summary>
    /// <param name="profile">The trace.</param>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    /// <param name="module">Only stacks that run through this module; null: all.</param>
    /// <exception cref="ToolException">The trace cannot be read (4), or has no such pid or module (2).</exception>
    public static IReadOnlyList<SourceFile> Of(Profile profile, int? pid = null, string? module = null)
    {
        ArgumentNullException.ThrowIfNull(profile);
        var live = profile.Select(new StackQuestion { By = StackMeasure.Live, Pid = pid, Module = module }).Costs;
        var ever = profile.Select(new StackQuestion { By = StackMeasure.Allocated, Pid = pid, Module = module }).Costs;
        var tree = profile.Tree.Frames;
        var names = new FrameNames<(string File, int Line)>(tree, FrameNaming.TryLine);
        var costs = new (long Live, long Allocated, long Allocations)[names.Count];
        var own = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var node = 1; node < tree.Count; node++)
        {
            var (allocated, allocations) = ever[node];
            if (allocations == 0)
            {
                continue;
            }

            var alive = live[node].Bytes;
            names.ForEachOnStack(node, line => costs[line] = checked((
                costs[line].Live + alive, costs[line].Allocated + allocated, costs[line].Allocations + allocations)));
            if (names.InnermostOf(node) is >= 0 and var innermost)
            {
                var file = names[innermost].File;
                own[file] = own.GetValueOrDefault(file) + alive;
            }
        }

        return Files(names, costs, own, Modules(tree));
    }

    private static SourceFile[] Files(
        FrameNames<(string File, int Line)> names,
        (long Live, long Allocated, long Allocations)[] costs,
        Dictionary<string, long> own,
        ILookup<string, Binary> modules) =>
    [
        .. Enumerable.Range(0, names.Count)
            .Where(i => costs[i].Allocations > 0)
            .GroupBy(i => names[i].File, StringComparer.Ordinal)
            .Select(file => new SourceFile(
                file.Key,
                [.. modules[file.Key]],
                [.. file
                    .Select(i => new LineCost(names[i].Line, costs[i].Live, costs[i].Allocated, costs[i].Allocations))
                    .OrderBy(line => line.Line)],
                own.GetValueOrDefault(file.Key)))
            .OrderByDescending(file => file.OwnBytes)
            .ThenBy(file => file.File, StringComparer.Ordinal),
    ];

    private static ILookup<string, Binary> Modules(FrameTree tree) =>
        Enumerable.Range(0, tree.FrameCount)
            .Select(tree.FrameAt)
            .Where(frame => frame is { Name.File: not null, Location.Module: not null })
            .Select(frame => (File: frame.Name!.File!, Module: frame.Location.Module!))
            .Distinct()
            .ToLookup(pair => pair.File, pair => pair.Module, StringComparer.Ordinal);
}
