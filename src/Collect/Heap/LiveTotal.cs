using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// Live blocks and bytes, and the moment when the bytes were most, of a process or of the whole trace. Each new peak
/// starts an epoch: who keeps a share of the total notes the epoch of its last change, and so knows what its share was
/// at the peak without being visited then (see <see cref="StackTotal"/>).
/// </summary>
internal sealed class LiveTotal
{
    public long Blocks { get; private set; }

    public long Bytes { get; private set; }

    public long PeakBytes { get; private set; }

    public long PeakBlocks { get; private set; }

    public uint PeakMs { get; private set; }

    /// <summary>Number of the last peak.</summary>
    public ulong Epoch { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(long blocks, long bytes, uint timeMs)
    {
        Blocks += blocks;
        Bytes += bytes;
        if (Bytes > PeakBytes)
        {
            PeakBytes = Bytes;
            PeakBlocks = Blocks;
            PeakMs = timeMs;
            Epoch++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(long blocks, long bytes)
    {
        Blocks -= blocks;
        Bytes -= bytes;
    }
}
