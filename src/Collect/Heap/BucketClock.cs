using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>The width of the trace's buckets of time: 10 ms, doubled as often as it takes to stay below
/// <see cref="MostBuckets"/> of them.</summary>
internal sealed class BucketClock
{
    /// <summary>Buckets are numbered below this.</summary>
    public const int MostBuckets = 1024;

    /// <summary>Width to begin with.</summary>
    public const uint FirstMs = 10;

    private int _doublings;

    /// <summary>Times the width was doubled.</summary>
    public int Doublings => _doublings;

    /// <summary>Width of a bucket.</summary>
    public long BucketNs => (FirstMs * 1_000_000L) << _doublings;

    /// <summary>The bucket of a time; it may lie beyond the last, then <see cref="Double"/> first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Of(uint timeMs) => (timeMs / FirstMs) >> _doublings;

    /// <summary>Doubles the width; whoever keeps bucket numbers halves them.</summary>
    public void Double() => _doublings++;
}
