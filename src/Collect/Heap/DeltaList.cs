namespace NativeHeap.Collect.Heap;

/// <summary>Changes of counters one after the other; a key may come several times. For one thread.</summary>
internal sealed class DeltaList : IDeltas
{
    private readonly List<(ulong Key, long Blocks, long Bytes)> _items = [];

    /// <inheritdoc/>
    public void Add(ulong key, long blocks, long bytes) => _items.Add((key, blocks, bytes));

    /// <summary>Empties the list; its room is kept.</summary>
    public void Clear() => _items.Clear();

    /// <summary>All of them in the order in which they came.</summary>
    public List<(ulong Key, long Blocks, long Bytes)>.Enumerator GetEnumerator() => _items.GetEnumerator();
}
