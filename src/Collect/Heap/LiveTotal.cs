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

    /// <summary>Adds changes, of any sign, whose peaks were told.</summary>
    public void Move(long blocks, long bytes)
    {
        Blocks += blocks;
        Bytes += bytes;
    }

    /// <summary>Tells what is live at a moment before the next <see cref="Move"/>.</summary>
    /// <param name="blocks">Changes until then, of any sign.</param>
    /// <param name="bytes">The same.</param>
    /// <param name="timeMs">The moment.</param>
    public void Rise(long blocks, long bytes, uint timeMs)
    {
        if (Bytes + bytes > PeakBytes)
        {
            PeakBytes = Bytes + bytes;
            PeakBlocks = Blocks + blocks;
            PeakMs = timeMs;
            Epoch++;
        }
    }
}
