using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>The calling-context tree of a trace, checked: parents come before children, depth is bounded.</summary>
public sealed class StackTable
{
    private readonly List<int> _parents;
    private readonly List<int> _locations;

    private StackTable(List<int> parents, List<int> locations)
    {
        _parents = parents;
        _locations = locations;
    }

    /// <summary>Nodes, the root not counted: ids are 1 to <c>Count</c>.</summary>
    public int Count => _parents.Count - 1;

    /// <summary>The node that <paramref name="stack"/> was called from.</summary>
    public StackId Parent(StackId stack) => new(_parents[stack.Value]);

    /// <summary>Where in code <paramref name="stack"/> is; not for the root.</summary>
    public LocationId Location(StackId stack) => new(_locations[stack.Value]);

    internal static StackTable Read(TableRows rows, int locationCount)
    {
        var parents = new List<int> { 0 };
        var locations = new List<int> { 0 };
        var depths = new List<int> { 0 };
        using var statement = rows;
        while (statement.Next())
        {
            var id = parents.Count;
            statement.Int(0, id, Math.Min(id, Limits.StackNodes)); // dense
            var parent = statement.Int(1, 0, id - 1);
            var depth = depths[parent] + 1;
            if (depth > Limits.StackDepth)
            {
                throw statement.Damaged(1, "the parent of too deep a stack");
            }

            parents.Add(parent);
            locations.Add(statement.Int(2, 1, locationCount));
            depths.Add(depth);
        }

        return new StackTable(parents, locations);
    }
}
