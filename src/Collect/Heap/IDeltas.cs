namespace NativeHeap.Collect.Heap;

/// <summary>Where changes of counters are kept.</summary>
internal interface IDeltas
{
    /// <summary>Adds to a key's counters.</summary>
    /// <param name="key">Anything but <see cref="ulong.MaxValue"/>.</param>
    /// <param name="blocks">Added to the first counter.</param>
    /// <param name="bytes">Added to the second.</param>
    void Add(ulong key, long blocks, long bytes);
}
