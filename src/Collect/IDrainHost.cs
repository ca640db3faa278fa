namespace NativeHeap.Collect;

/// <summary>What the readers of rings need of the recording.</summary>
internal interface IDrainHost
{
    /// <summary>A process gets events in this pass.</summary>
    void Activate(TrackedProcess process);

    /// <summary>Makes buckets wide enough for a time.</summary>
    void WidenBuckets(uint timeMs);

    /// <summary>Makes the process of a slot that is live and unknown; null when it cannot be.</summary>
    TrackedProcess? Discover(TrackedRegion region, int slot);
}
