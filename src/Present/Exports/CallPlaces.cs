using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>
/// The places in code that stacks run through, numbered from 0 as they are met: a place is a function and what is inlined
/// there. Each node of the tree is looked at once, however many stacks run through it. Not for several threads.
/// </summary>
/// <param name="tree">The stacks.</param>
internal sealed class CallPlaces(StackTree tree)
{
    private readonly int[] _placeOf = new int[tree.Count]; // of what begins at a node, plus 1; 0: not met yet
    private readonly int[] _callerOf = new int[tree.Count]; // where the next place outwards begins; 0: nowhere
    private readonly bool[] _isEntry = FramesThat(tree, frame => frame.Location.Kind == FrameKind.Entry);
    private readonly bool[] _isInlined = FramesThat(tree, frame => frame.Name?.Inlined == true);
    private readonly int[] _placeOfFrame = new int[tree.FrameCount]; // of a frame in which nothing is inlined, plus 1
    private readonly Dictionary<Chain, int> _chains = [];
    private readonly List<int> _placeOfChain = []; // plus 1; 0: only a part of others
    private readonly List<(int Innermost, int Physical)> _places = [];

    // A frame and what it is inlined in: another chain, or (less than 0) the frame that has code of its own.
    private readonly record struct Chain(int Frame, int Outer);

    /// <summary>The stacks.</summary>
    public StackTree Tree => tree;

    /// <summary>Places met so far.</summary>
    public int Count => _places.Count;

    /// <summary>The places of the stack that ends in a node, from the allocation function's caller outwards.</summary>
    /// <param name="node">The node.</param>
    /// <param name="places">Takes them, in place of what it held.</param>
    public void Walk(int node, List<int> places)
    {
        places.Clear();
        for (node = CallerOf(node); node != 0; node = _callerOf[node])
        {
            if (_placeOf[node] == 0)
            {
                Meet(node);
            }

            places.Add(_placeOf[node] - 1);
        }
    }

    /// <summary>Where the caller of the allocation function begins: nodes of different callers have different places.</summary>
    public int CallerOf(int node)
    {
        while (node != 0 && _isEntry[tree.FrameOf(node)])
        {
            node = tree.Parent(node);
        }

        return node;
    }

    /// <summary>Numbers of a place's frames in the tree, innermost first.</summary>
    public IEnumerable<int> FramesOf(int place)
    {
        var (node, last) = _places[place];
        for (; node != last; node = tree.Parent(node))
        {
            yield return tree.FrameOf(node);
        }

        yield return tree.FrameOf(last);
    }

    /// <summary>The function that has code of its own there.</summary>
    public Frame Physical(int place) => tree.Frame(tree.FrameOf(_places[place].Physical));

    /// <summary>An address inside the call instruction, not of what is behind it; 0 where there is no code.</summary>
    public ulong CallAddress(int place) => Physical(place) is { Marker: null } frame ? Math.Max(frame.Location.Offset, 1) - 1 : 0;

    private void Meet(int node)
    {
        var place = PlaceOf(node, out var last);
        _placeOf[node] = place;
        _callerOf[node] = CallerOf(tree.Parent(last));
    }

    // A place's number plus 1. Chains have numbers of their own, which are the same when all their frames are.
    private int PlaceOf(int node, out int last)
    {
        if (IsPhysical(node))
        {
            last = node;
            ref var place = ref _placeOfFrame[tree.FrameOf(node)];
            return place = place == 0 ? Add(node, node) : place;
        }

        var chain = ChainOf(node, out last);
        _placeOfChain[chain] = _placeOfChain[chain] == 0 ? Add(node, last) : _placeOfChain[chain];
        return _placeOfChain[chain];
    }

    private int ChainOf(int node, out int last)
    {
        var caller = tree.Parent(node);
        last = caller;
        var outer = IsPhysical(caller) ? ~tree.FrameOf(caller) : ChainOf(caller, out last);
        var key = new Chain(tree.FrameOf(node), outer);
        if (!_chains.TryGetValue(key, out var chain))
        {
            chain = _placeOfChain.Count;
            _chains.Add(key, chain);
            _placeOfChain.Add(0);
        }

        return chain;
    }

    private bool IsPhysical(int node) => !_isInlined[tree.FrameOf(node)] || tree.Parent(node) == 0;

    private int Add(int innermost, int physical)
    {
        _places.Add((innermost, physical));
        return _places.Count;
    }

    private static bool[] FramesThat(StackTree tree, Predicate<Frame> holds)
    {
        var frames = new bool[tree.FrameCount];
        for (var i = 0; i < frames.Length; i++)
        {
            frames[i] = holds(tree.Frame(i));
        }

        return frames;
    }
}
