using System.Globalization;
using NativeHeap.Managed.Heaps;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Graph.Objects;

/// <summary>The roots of a picture: what they are, and the names that a person gives them. For one thread.</summary>
internal sealed class RootFinder
{
    private const ulong ThreadStructBytes = 0x1000;
    private const ulong MostThreadLocal = 0x4000; // static thread-local memory, below the thread's struct

    private readonly HeapPicture _picture;
    private readonly TypeStatistics _types;
    private readonly StackFrames _frames;
    private readonly IReadOnlyList<StaticField> _statics;
    private readonly Dictionary<ulong, int> _staticAt = [];

    public RootFinder(HeapPicture picture, TypeStatistics types)
    {
        _picture = picture;
        _types = types;
        _frames = new StackFrames(picture, types);
        _statics = picture.Statics?.Read() ?? [];
        for (var i = 0; i < _statics.Count; i++)
        {
            _staticAt.TryAdd(_statics[i].Location, i);
        }
    }

    /// <summary>All roots with the nodes that hang from them, in the order of <see cref="GraphRootKinds.Round"/>.</summary>
    public IReadOnlyList<GraphRoot> Find(HeapGraph graph)
    {
        var roots = new List<GraphRoot>();
        for (var i = 0; i < _statics.Count; i++)
        {
            if (_statics[i].IsReference && _picture.Clr!.TryReadWord(_statics[i].Location, out var target))
            {
                roots.Add(new GraphRoot(graph.NodeOfObject(target), GraphRootKind.StaticField, _statics[i].Location, i));
            }
        }

        for (var i = 0; i < _picture.ManagedRoots.Count; i++)
        {
            var root = _picture.ManagedRoots[i];
            roots.Add(new GraphRoot(graph.NodeOfObject(root.Target), KindOf(root.Kind), root.Location, i));
        }

        foreach (var pointer in _picture.BlockPointers!.Items)
        {
            var node = graph.NodeOfBlock(pointer.Block);
            roots.Add(_staticAt.TryGetValue(pointer.Location, out var field)
                ? new GraphRoot(node, GraphRootKind.StaticField, pointer.Location, field)
                : new GraphRoot(node, KindOf(pointer.Location), pointer.Location, -1));
        }

        roots.RemoveAll(root => root.Node == HeapGraph.NoNode);
        return [.. roots.OrderBy(root => root.Kind.Round()).ThenBy(root => root.Kind)];
    }

    /// <summary>What a person calls a root.</summary>
    public string NameOf(GraphRoot root) => root.Kind switch
    {
        GraphRootKind.StaticField when root.Number >= 0 => _statics[root.Number].Name,
        GraphRootKind.ManagedFrame => _picture.ManagedRoots[root.Number].Describe(),
        GraphRootKind.Global => GlobalName(root.Location),
        GraphRootKind.ThreadStack => _frames.NameOf(root.Location),
        GraphRootKind.ThreadLocal => $"thread-local memory of {_frames.ThreadAt(root.Location)}",
        GraphRootKind.Register => "a register of a thread",
        GraphRootKind.OtherMemory => $"memory at {Hex(root.Location)}{MappingName(root.Location)}",
        _ => _picture.ManagedRoots[root.Number].Describe(),
    };

    private static string Hex(ulong address) => string.Create(CultureInfo.InvariantCulture, $"0x{address:x}");

    private static GraphRootKind KindOf(HeapRootKind kind) => kind switch
    {
        HeapRootKind.StaticField => GraphRootKind.StaticField,
        HeapRootKind.ThreadStatic => GraphRootKind.ThreadStatic,
        HeapRootKind.Stack => GraphRootKind.ManagedFrame,
        HeapRootKind.PinnedHandle => GraphRootKind.PinnedHandle,
        HeapRootKind.FinalizerQueue => GraphRootKind.FinalizerQueue,
        HeapRootKind.AwaitsFinalizer => GraphRootKind.AwaitsFinalizer,
        _ => GraphRootKind.Handle,
    };

    private GraphRootKind KindOf(ulong location)
    {
        if (location == 0)
        {
            return GraphRootKind.Register;
        }

        foreach (var thread in _picture.Threads)
        {
            var start = thread.Registers?.ThreadPointer ?? 0;
            if (start != 0 && location < start + ThreadStructBytes && location >= start - MostThreadLocal)
            {
                return GraphRootKind.ThreadLocal;
            }
        }

        return _frames.IsStack(location) ? GraphRootKind.ThreadStack
            : _types.Modules.Find(location) is not null ? GraphRootKind.Global
            : GraphRootKind.OtherMemory;
    }

    private string GlobalName(ulong location)
    {
        var module = _types.Modules.Find(location)!;
        if (module.Data(location) is not { } symbol)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(module.Path)}+0x{location - module.Bias:x}");
        }

        _types.Demangler.Learn([symbol.Name], CancellationToken.None);
        var offset = location - module.Bias - symbol.Address;
        return offset == 0
            ? _types.Demangler[symbol.Name]
            : string.Create(CultureInfo.InvariantCulture, $"{_types.Demangler[symbol.Name]}+0x{offset:x}");
    }

    private string MappingName(ulong location) =>
        _picture.Mappings.FirstOrDefault(mapping => mapping.Start <= location && location < mapping.End)
            is MemoryMapping { Path.Length: > 0 } mapping ? $" ({mapping.Path})" : "";
}
