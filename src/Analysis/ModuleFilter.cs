using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>Takes the stacks that run through a module out of all.</summary>
internal static class ModuleFilter
{
    /// <summary>The costs of those stacks.</summary>
    /// <param name="tree">The stacks.</param>
    /// <param name="costs">What each costs.</param>
    /// <param name="module">The module's file name or path.</param>
    /// <param name="trace">The trace, for what is said.</param>
    /// <exception cref="ToolException">No stack runs through such a module (exit code 2).</exception>
    public static CostTable Keep(FrameTree tree, CostTable costs, string module, string trace)
    {
        var isOfModule = new bool[tree.FrameCount];
        for (var frame = 0; frame < tree.FrameCount; frame++)
        {
            isOfModule[frame] = tree.FrameAt(frame).Location.Module is { } binary
                && (binary.Path == module || Path.GetFileName(binary.Path) == module);
        }

        if (!Array.Exists(isOfModule, isIt => isIt))
        {
            throw new ToolException($"no stack of {trace} runs through a module {module}; it has {Some(tree)}", ExitCodes.Usage);
        }

        var kept = new CostTable(tree.Count);
        var runsThrough = new bool[tree.Count]; // callers come before what they call
        for (var node = 1; node < tree.Count; node++)
        {
            runsThrough[node] = runsThrough[tree.Parent(node)] || isOfModule[tree.FrameOf(node)];
            if (runsThrough[node] && costs[node] is var (bytes, blocks) && (bytes != 0 || blocks != 0))
            {
                kept.Add(node, bytes, blocks);
            }
        }

        return kept;
    }

    private static string Some(FrameTree tree)
    {
        const int Most = 8;
        var names = Enumerable.Range(0, tree.FrameCount)
            .Select(frame => tree.FrameAt(frame).Location.Module?.Path).OfType<string>()
            .Select(path => Path.GetFileName(path)!).Distinct().Order(StringComparer.Ordinal).ToList();
        return string.Join(", ", names.Take(Most)) + (names.Count > Most ? $" and {names.Count - Most} more" : "");
    }
}
