namespace NativeHeap.Collect.Mappings;

/// <summary>What one leaf of the calling-context tree mapped in one process.</summary>
/// <param name="node">The leaf.</param>
/// <param name="firstMs">When it mapped first, milliseconds since the trace's start.</param>
internal sealed class MappedStack(uint node, uint firstMs)
{
    private ulong _epoch;
    private (long Mappings, long Bytes) _atPeak;

    public uint Node => node;

    public uint FirstMs => firstMs;

    /// <summary>Its row is not what it was when that was taken last.</summary>
    public bool Changed { get; set; }

    /// <summary>The trace's stack, 0 until it is known.</summary>
    public int StackId { get; set; }

    public long Mappings { get; private set; }

    public long MappedBytes { get; private set; }

    /// <summary>Mappings of which nothing is left.</summary>
    public long Unmappings { get; private set; }

    /// <summary>Also of mappings of which something is left.</summary>
    public long UnmappedBytes { get; private set; }

    public (long Mappings, long Bytes) Live => (Mappings - Unmappings, MappedBytes - UnmappedBytes);

    /// <summary>What was mapped at the process's peak.</summary>
    /// <param name="epoch">Of that peak, as <see cref="Heap.LiveTotal.Epoch"/>.</param>
    public (long Mappings, long Bytes) AtPeak(ulong epoch) => _epoch == epoch ? _atPeak : Live;

    /// <summary>Whether what it had at that peak is not what it has.</summary>
    public bool KeepsPeak(ulong epoch) => _epoch == epoch;

    /// <param name="bytes">Of the new mapping.</param>
    /// <param name="epoch">Before it.</param>
    public void Begin(long bytes, ulong epoch)
    {
        KeepPeak(epoch);
        Mappings++;
        MappedBytes += bytes;
    }

    /// <param name="bytes">Of a mapping, that are over.</param>
    /// <param name="whole">Nothing is left of it.</param>
    /// <param name="epoch">Before that.</param>
    public void End(long bytes, bool whole, ulong epoch)
    {
        KeepPeak(epoch);
        Unmappings += whole ? 1 : 0;
        UnmappedBytes += bytes;
    }

    private void KeepPeak(ulong epoch)
    {
        Changed = true;
        if (_epoch != epoch)
        {
            _epoch = epoch;
            _atPeak = Live;
        }
    }
}
