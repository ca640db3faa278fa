using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>What the frames of a tree are called when they are added up: functions, modules or lines. Names are numbered from 0.
/// Not for several threads.</summary>
internal sealed class FrameNames
{
    private readonly FrameTree _tree;
    private readonly int[] _nameOfFrame;
    private readonly List<string> _names = [];
    private readonly List<int> _seenAt = [];
    private int _walk;

    /// <param name="tree">The tree; must not grow meanwhile.</param>
    /// <param name="nameOf">A frame's name; null: it has none.</param>
    public FrameNames(FrameTree tree, Func<Frame, string?> nameOf)
    {
        _tree = tree;
        _nameOfFrame = new int[tree.FrameCount];
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < _nameOfFrame.Length; i++)
        {
            var name = nameOf(tree.FrameAt(i));
            if (name is null)
            {
                _nameOfFrame[i] = -1;
            }
            else if (!numbers.TryGetValue(name, out _nameOfFrame[i]))
            {
                _nameOfFrame[i] = _names.Count;
                numbers.Add(name, _names.Count);
                _names.Add(name);
                _seenAt.Add(0);
            }
        }
    }

    /// <summary>How many there are.</summary>
    public int Count => _names.Count;

    /// <summary>A name by its number.</summary>
    public string this[int number] => _names[number];

    /// <summary>A function; of code without a name, its module and offset.</summary>
    public static string? FunctionOf(Frame frame) => frame switch
    {
        { Location.Kind: FrameKind.Entry or FrameKind.Marker } => null,
        { Name.Function: { } function } => function,
        { Location: { Module: { } module, Offset: var offset } } => $"{Path.GetFileName(module.Path)}+0x{offset:x}",
        _ => $"0x{frame.Location.Offset:x}",
    };

    /// <summary>A module's file name.</summary>
    public static string? ModuleOf(Frame frame) => frame switch
    {
        { Location.Kind: FrameKind.Entry or FrameKind.Marker } => null,
        { Location.Module: { } module } => Path.GetFileName(module.Path),
        _ => "(code of no module)",
    };

    /// <summary>The name of a node's own frame; -1: none.</summary>
    public int NameOf(int node) => node == 0 ? -1 : _nameOfFrame[_tree.FrameOf(node)];

    /// <summary>Calls for each name on the stack that ends in a node, once however often it occurs.</summary>
    public void ForEachOnStack(int node, Action<int> action)
    {
        _walk++;
        for (; node != 0; node = _tree.Parent(node))
        {
            var name = _nameOfFrame[_tree.FrameOf(node)];
            if (name >= 0 && _seenAt[name] != _walk)
            {
                _seenAt[name] = _walk;
                action(name);
            }
        }
    }
}
