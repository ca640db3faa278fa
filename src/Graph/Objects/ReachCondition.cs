using NativeHeap.Managed.Heaps;

namespace NativeHeap.Graph.Objects;

/// <summary>
/// Objects that the program can still reach, or cannot any more: from static fields, variables of methods that run and GC
/// handles. What only its finalizer waits for cannot be reached.
/// </summary>
public sealed class ReachCondition : IObjectCondition, IDisposable
{
    private readonly HeapGraph _graph;
    private readonly IObjectCondition _condition;
    private readonly bool _isReached;

    /// <summary>Searches the whole graph.</summary>
    /// <param name="picture">Taken with roots; stays the caller's.</param>
    /// <param name="types">Of the picture; stays the caller's.</param>
    /// <param name="condition">What else must be true.</param>
    /// <param name="isReached">Which of the two are meant.</param>
    public ReachCondition(HeapPicture picture, TypeStatistics types, IObjectCondition condition, bool isReached)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentNullException.ThrowIfNull(types);
        _condition = condition;
        _isReached = isReached;
        _graph = new HeapGraph(picture);
        _graph.Search(new RootFinder(picture, types).Find(_graph).TakeWhile(root => root.Kind.Round() == 0));
    }

    /// <inheritdoc/>
    public bool Holds(ManagedHeap heap, uint slot) => _condition.Holds(heap, slot) && _graph.IsReached(slot) == _isReached;

    /// <inheritdoc/>
    public void Dispose() => _graph.Dispose();
}
