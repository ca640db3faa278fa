using System.Numerics;
using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>A tree of frames in which equal children of a node are one. Node 0 is the root; a parent's number is smaller than
/// its child's.</summary>
/// <param name="key">What makes frames equal.</param>
internal sealed class FrameTree(Func<Frame, FrameKey> key)
{
    private readonly List<Frame> _frames = [];
    private readonly Dictionary<FrameKey, int> _frameIds = [];
    private int[] _parents = [0];
    private int[] _frameOf = [-1];
    private int[] _places = new int[64]; // nodes by parent and frame, open addressing; 0: empty
    private int _shift = 64 - 6;

    /// <summary>Nodes, root included.</summary>
    public int Count { get; private set; } = 1;

    /// <summary>Different frames.</summary>
    public int FrameCount => _frames.Count;

    /// <summary>The first of the equal frames that got a number.</summary>
    public Frame FrameAt(int frame) => _frames[frame];

    /// <summary>A node's parent.</summary>
    public int Parent(int node) => _parents[node];

    /// <summary>A node's frame; of the root there is none (-1).</summary>
    public int FrameOf(int node) => _frameOf[node];

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
        var place = PlaceOf(parent, frame);
        if (_places[place] != 0)
        {
            return _places[place];
        }

        if (Count == _parents.Length || (Count + 1) * 2 > _places.Length)
        {
            EnsureCapacity(Count * 2);
            place = PlaceOf(parent, frame);
        }

        _places[place] = Count;
        _parents[Count] = parent;
        _frameOf[Count] = frame;
        return Count++;
    }

    /// <summary>Makes room for so many nodes at once.</summary>
    public void EnsureCapacity(int nodes)
    {
        if (nodes > _parents.Length)
        {
            Array.Resize(ref _parents, nodes);
            Array.Resize(ref _frameOf, nodes);
        }

        var places = (int)BitOperations.RoundUpToPowerOf2((uint)nodes * 2);
        if (places <= _places.Length)
        {
            return;
        }

        _places = new int[places];
        _shift = 64 - BitOperations.Log2((uint)places);
        for (var node = 1; node < Count; node++)
        {
            _places[PlaceOf(_parents[node], _frameOf[node])] = node;
        }
    }

    /// <summary>Takes another tree's nodes over.</summary>
    /// <returns>By node of the other tree, the node that it is here.</returns>
    public int[] Join(FrameTree other)
    {
        var frames = other._frames.ConvertAll(Intern);
        var nodes = new int[other.Count];
        EnsureCapacity(Count + (other.Count / 2));
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
        for (; node != 0; node = _parents[node])
        {
            var frame = _frames[_frameOf[node]];
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

    /// <summary>Where a node is in the table, or would be.</summary>
    private int PlaceOf(int parent, int frame)
    {
        var mask = _places.Length - 1;
        var hash = (((ulong)(uint)parent << 32) | (uint)frame) * 0x9E3779B97F4A7C15; // Knuth's multiplicative hashing
        var place = (int)(hash >> _shift);
        while (_places[place] is not 0 and var node && (_parents[node] != parent || _frameOf[node] != frame))
        {
            place = (place + 1) & mask;
        }

        return place;
    }
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

    /// <summary>By function alone, between two traces: modules by file name.</summary>
    public static FrameKey OfFunctionBetweenTraces(Frame frame)
    {
        var key = OfFunction(frame);
        return key with { Module = key.Module is null ? null : Path.GetFileName(key.Module), BuildId = null };
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
