using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>The calling-context tree of a trace with equal stacks joined: nodes are the same when their resolved frames are,
/// whatever address or generation they came from.</summary>
internal sealed class MergedTree
{
    private readonly PlaceNames _places;
    private readonly int[] _nodeOfStack;

    /// <param name="stacks">The tree of the trace.</param>
    /// <param name="places">Its places in code and their names.</param>
    public MergedTree(StackTable stacks, PlaceNames places)
    {
        _places = places;
        var frames = new int[places.Count + 1][];
        for (var id = 1; id <= places.Count; id++)
        {
            frames[id] = FramesOf(new LocationId(id));
        }

        Frames.EnsureCapacity(stacks.Count / 4 * 5); // a stack's frame may be several, where code was inlined
        _nodeOfStack = new int[stacks.Count + 1];
        for (var id = 1; id <= stacks.Count; id++)
        {
            var stack = new StackId(id);
            var node = _nodeOfStack[stacks.Parent(stack).Value];
            foreach (var frame in frames[stacks.Location(stack).Value])
            {
                node = Frames.Child(node, frame);
            }

            _nodeOfStack[id] = node;
        }
    }

    /// <summary>Its nodes.</summary>
    public FrameTree Frames { get; } = new(FrameKey.Of);

    /// <summary>Nodes, root included.</summary>
    public int Count => Frames.Count;

    /// <summary>The node that a stack of the trace became.</summary>
    public int NodeOf(StackId stack) => _nodeOfStack[stack.Value];

    /// <summary>The whole stack that ends in a node.</summary>
    public CallStack StackOf(int node) => Frames.StackOf(node);

    /// <summary>The frames of a location from the function itself to the innermost inlined one.</summary>
    private int[] FramesOf(LocationId id)
    {
        var location = _places.Place(id);
        var names = _places[id];
        if (location is { Kind: FrameKind.Marker, Offset: (ulong)StackMarker.Generation })
        {
            return []; // where nodes started anew is nothing that stacks differ by
        }

        if (names.Count == 0)
        {
            return [Frames.Intern(new Frame(location, null))];
        }

        var frames = new int[names.Count];
        for (var i = 0; i < frames.Length; i++)
        {
            frames[i] = Frames.Intern(new Frame(location, names[names.Count - 1 - i]));
        }

        return frames;
    }
}
