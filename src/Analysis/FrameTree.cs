using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>A tree of frames in which equal children of a node are one. Node 0 is the root; a parent's number is smaller than
/// its child's.</summary>
/// <param name="key">What makes frames equal.</param>
internal sealed class FrameTree(Func<Frame, FrameKey> key)
{
    private readonly List<Frame> _frames = [];
    private readonly Dictionary<FrameKey, int> _frameIds = [];
    private readonly List<Node> _nodes = [new Node(0, -1)];
    private readonly Dictionary<(int Parent, int Frame), int> _children = [];

    /// <summary>Nodes, root included.</summary>
    public int Count => _nodes.Count;

    /// <summary>Different frames.</summary>
    public int FrameCount => _frames.Count;

    /// <summary>The first of the equal frames that got a number.</summary>
    public Frame FrameAt(int frame) => _frames[frame];

    /// <summary>A node's parent.</summary>
    public int Parent(int node) => _nodes[node].Parent;

    /// <summary>A node's frame; of the root there is none (-1).</summary>
    public int FrameOf(int node) => _nodes[node].Frame;

    /// <summary>The number of a frame, the same for all that are equal.</summary>
    public int Intern(Frame frame)
    {
        var name = key(frame);
        if (!_frameIds.TryGetValue(name, out var id))
        {
            id = _frames.Count;
            _frames.Add(name.Name == frame.Name ? frame : frame with { Name = name.Name }); // what they differ in is not shown
            _frameIds.Add(name, id);
        }

        return id;
    }

    /// <summary>The child of a node for a frame, made when there is none.</summary>
    public int Child(int parent, int frame)
    {
        if (!_children.TryGetValue((parent, frame), out var child))
        {
            child = _nodes.Count;
            _nodes.Add(new Node(parent, frame));
            _children.Add((parent, frame), child);
        }

        return child;
    }

    /// <summary>Takes another tree's nodes over.</summary>
    /// <returns>By node of the other tree, the node that it is here.</returns>
    public int[] Join(FrameTree other)
    {
        var frames = other._frames.ConvertAll(Intern);
        var nodes = new int[other.Count];
        for (var node = 1; node < nodes.Length; node++)
        {
            nodes[node] = Child(nodes[other.Parent(node)], frames[other.FrameOf(node)]);
        }

        return nodes;
    }

    /// <summary>The whole stack that ends in a node.</summary>
    public CallStack StackOf(int node)
    {
        EntryPoint? entry = null;
        var frames = new List<Frame>();
        for (; node != 0; node = _nodes[node].Parent)
        {
            var frame = _frames[_nodes[node].Frame];
            if (frame.Location.Kind == FrameKind.Entry)
            {
                entry ??= (EntryPoint)(int)frame.Location.Offset;
            }
            else
            {
                frames.Add(frame);
            }
        }

        return new CallStack(entry, frames);
    }

    private readonly record struct Node(int Parent, int Frame);
}

/// <summary>What makes frames equal: the name where there is one, else the place.</summary>
internal readonly record struct FrameKey(
    FrameKind Kind, string? Module, string? BuildId, ulong Offset, ResolvedFrame? Name)
{
    /// <summary>Within one trace.</summary>
    public static FrameKey Of(Frame frame)
    {
        var (module, offset, kind) = frame.Location;
        if (frame.Name?.Function is null)
        {
            return new FrameKey(kind, module?.Path, module?.BuildId, offset, frame.Name);
        }

        // A method of .NET may be compiled several times, into memory of any owner.
        return new FrameKey(kind, kind == FrameKind.Managed ? null : module?.Path, null, 0, frame.Name);
    }

    /// <summary>By function alone, wherever in it a call stands.</summary>
    public static FrameKey OfFunction(Frame frame)
    {
        var key = Of(frame);
        return frame.Name is { Function: not null } name
            ? key with { Name = name with { File = null, Line = null, Inlined = false } }
            : key;
    }

    /// <summary>Between two traces: modules by file name, for they may have been installed elsewhere, and code of modules
    /// that were built anew by the function's name alone, for lines and offsets move.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="rebuilt">File names of the modules that were built anew.</param>
    public static FrameKey BetweenTraces(Frame frame, IReadOnlySet<string> rebuilt)
    {
        var key = Of(frame);
        if (key.Module is null && frame.Location.Module is null)
        {
            return key;
        }

        var file = Path.GetFileName(frame.Location.Module!.Path);
        key = key with { Module = key.Module is null ? null : file };
        return rebuilt.Contains(file) && frame.Name?.Function is not null
            ? key with { Name = frame.Name with { File = null, Line = null } }
            : key;
    }
}
