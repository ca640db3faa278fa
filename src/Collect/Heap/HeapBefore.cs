namespace NativeHeap.Collect.Heap;

/// <summary>What blocks a process may have had when its recording began: those whose frees are no error, and are counted
/// apart.</summary>
internal enum HeapBefore
{
    /// <summary>None: it was recorded from its first call.</summary>
    None,

    /// <summary>Its parent's, by a fork.</summary>
    Inherited,

    /// <summary>Its own: it was attached to.</summary>
    Earlier,
}
