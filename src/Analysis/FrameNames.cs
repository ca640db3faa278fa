using System.Diagnostics.CodeAnalysis;
using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>What the frames of a tree are called when they are added up: functions, modules or lines. Names are numbered from 0.
/// Not for several threads.</summary>
internal sealed class FrameNames<TName>
    where TName : notnull
{
    private readonly FrameTree _tree;
    private readonly int[] _nameOfFrame;
    private readonly List<TName> _names = [];
    private readonly List<int> _seenAt = [];
    private int _walk;

    /// <summary>Tells a frame's name.</summary>
    public delegate bool TryName(Frame frame, [MaybeNullWhen(false)] out TName name);

    /// <param name="tree">The tree; must not grow meanwhile.</param>
    /// <param name="tryName">A frame's name; false: it has none.</param>
    public FrameNames(FrameTree tree, TryName tryName)
    {
        _tree = tree;
        _nameOfFrame = new int[tree.FrameCount];
        var numbers = new Dictionary<TName, int>();
        for (var i = 0; i < _nameOfFrame.Length; i++)
        {
            if (!tryName(tree.FrameAt(i), out var name))
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
    public TName this[int number] => _names[number];

    /// <summary>The name of a node's own frame; -1: none.</summary>
    public int NameOf(int node) => node == 0 ? -1 : _nameOfFrame[_tree.FrameOf(node)];

    /// <summary>The first name from a node outwards; -1: none.</summary>
    public int InnermostOf(int node)
    {
        while (node != 0 && NameOf(node) < 0)
        {
            node = _tree.Parent(node);
        }

        return NameOf(node);
    }

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

/// <summary>The names that frames are added up by.</summary>
internal static class FrameNaming
{
    /// <summary>A function; of code without a name, its module and offset.</summary>
    public static bool TryFunction(Frame frame, [MaybeNullWhen(false)] out string name)
    {
        name = frame switch
        {
            { Location.Kind: FrameKind.Entry or FrameKind.Marker } => null,
            { Name.Function: { } function } => function,
            { Location: { Module: { } module, Offset: var offset } } => $"{Path.GetFileName(module.Path)}+0x{offset:x}",
            _ => $"0x{frame.Location.Offset:x}",
        };
        return name is not null;
    }

    /// <summary>A line for any frame: its function, the allocation function, or the remark in its place.</summary>
    public static string Show(Frame frame) => frame switch
    {
        { Location.Kind: FrameKind.Entry } => ((EntryPoint)(int)frame.Location.Offset).Name(),
        { Marker: StackMarker.Guessed } => "(frames may be missing)",
        { Marker: { } } => "(frames are missing)",
        _ => TryFunction(frame, out var name) ? name : "",
    };

    /// <summary>A module's file name.</summary>
    public static bool TryModule(Frame frame, [MaybeNullWhen(false)] out string name)
    {
        name = frame switch
        {
            { Location.Kind: FrameKind.Entry or FrameKind.Marker } => null,
            { Location.Module: { } module } => Path.GetFileName(module.Path),
            _ => "(code of no module)",
        };
        return name is not null;
    }

    /// <summary>A line of a source file.</summary>
    public static bool TryLine(Frame frame, out (string File, int Line) line)
    {
        line = frame.Name is { File: { } file, Line: { } number } ? (file, number) : default;
        return line.File is not null;
    }
}
