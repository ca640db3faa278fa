using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>
/// The calling-context tree with equal stacks joined: nodes are the same when their resolved frames are, whatever
/// address or generation they came from. Node 0 is the root.
/// </summary>
internal sealed class MergedTree
{
    private readonly LocationTable _locations;
    private readonly List<Frame> _frames = [];
    private readonly Dictionary<FrameKey, int> _frameIds = [];
    private readonly List<Node> _nodes = [new Node(0, -1)];
    private readonly Dictionary<(int Parent, int Frame), int> _children = [];
    private readonly int[] _nodeOfStack;

    /// <param name="stacks">The tree of the trace.</param>
    /// <param name="locations">Its places in code.</param>
    /// <param name="names">What each location resolved to, by id less 1.</param>
    public MergedTree(StackTable stacks, LocationTable locations, IReadOnlyList<IReadOnlyList<ResolvedFrame>> names)
    {
        _locations = locations;
        var frames = new int[locations.Count + 1][];
        for (var id = 1; id <= locations.Count; id++)
        {
            frames[id] = FramesOf(new LocationId(id), names[id - 1]);
        }

        _nodeOfStack = new int[stacks.Count + 1];
        for (var id = 1; id <= stacks.Count; id++)
        {
            var stack = new StackId(id);
            var node = _nodeOfStack[stacks.Parent(stack).Value];
            foreach (var frame in frames[stacks.Location(stack).Value])
            {
                node = Child(node, frame);
            }

            _nodeOfStack[id] = node;
        }
    }

    /// <summary>Nodes, root included.</summary>
    public int Count => _nodes.Count;

    /// <summary>The node that a stack of the trace became.</summary>
    public int NodeOf(StackId stack) => _nodeOfStack[stack.Value];

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

    /// <summary>The frames of a location from the function itself to the innermost inlined one.</summary>
    private int[] FramesOf(LocationId id, IReadOnlyList<ResolvedFrame> names)
    {
        var location = _locations[id];
        if (location is { Kind: FrameKind.Marker, Offset: (ulong)StackMarker.Generation })
        {
            return []; // where nodes started anew is nothing that stacks differ by
        }

        if (names.Count == 0)
        {
            return [Intern(new Frame(location, null))];
        }

        var frames = new int[names.Count];
        for (var i = 0; i < frames.Length; i++)
        {
            frames[i] = Intern(new Frame(location, names[names.Count - 1 - i]));
        }

        return frames;
    }

    private int Intern(Frame frame)
    {
        var key = FrameKey.Of(frame);
        if (!_frameIds.TryGetValue(key, out var id))
        {
            id = _frames.Count;
            _frames.Add(frame);
            _frameIds.Add(key, id);
        }

        return id;
    }

    private int Child(int parent, int frame)
    {
        if (!_children.TryGetValue((parent, frame), out var child))
        {
            child = _nodes.Count;
            _nodes.Add(new Node(parent, frame));
            _children.Add((parent, frame), child);
        }

        return child;
    }

    private readonly record struct Node(int Parent, int Frame);

    /// <summary>What makes frames equal: the name where there is one, else the place.</summary>
    private readonly record struct FrameKey(
        FrameKind Kind, string? Module, string? BuildId, ulong Offset, ResolvedFrame? Name)
    {
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
    }
}
