namespace NativeHeap.Wire;

/// <summary>Where a new region's parts go, and its first bytes. The collector makes regions; targets only map them.</summary>
public sealed unsafe class RegionLayout
{
    private const ulong PageBytes = 4096;

    private readonly RegionShape _shape;
    private readonly ulong _ringBytes;
    private readonly ulong _rings;
    private readonly ulong _slots;
    private readonly ulong _modules;
    private readonly ulong _nodes;
    private readonly ulong _reused;
    private readonly ulong _copy;
    private readonly ulong _kept;
    private readonly ulong _data;

    /// <summary>Lays a region of that shape out.</summary>
    /// <param name="shape">How much of everything.</param>
    /// <param name="ringBytes">Capacity of each ring: a power of two, 4 KiB to 1 GiB.</param>
    /// <param name="keepsBlocks">Whether there is room for the bits of blocks that are kept while births are sampled.</param>
    /// <exception cref="RegionFormatException">A number is out of its range.</exception>
    public RegionLayout(RegionShape shape, ulong ringBytes, bool keepsBlocks = false)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Check();
        if (!ulong.IsPow2(ringBytes) || ringBytes < PageBytes || ringBytes > 1UL << 30)
        {
            throw new RegionFormatException($"a ring of {ringBytes} bytes is no power of two from 4 KiB to 1 GiB");
        }

        _shape = shape;
        _ringBytes = ringBytes;
        _rings = Align(RegionRecord.StatedSize);
        _slots = Align(_rings + ((ulong)shape.RingCount * RingRecord.StatedSize));
        _modules = Align(_slots + ((ulong)shape.SlotCount * SlotRecord.StatedSize));
        _nodes = Align(_modules + ((ulong)shape.ModuleCapacity * ModuleRecord.StatedSize));
        _reused = Align(_nodes + ((ulong)shape.NodeCapacity * NodeRecord.StatedSize));
        _copy = Align(_reused + ((ulong)shape.ReusedCapacity * ReusedCodeRecord.StatedSize));
        _data = _copy + CopyWindow.WholeBytes;
        if (keepsBlocks)
        {
            _kept = _data;
            _data += WireConstants.KeptBytes;
        }

        RegionBytes = _data + ((ulong)shape.RingCount * ringBytes);
    }

    /// <summary>Bytes of the whole region, a multiple of the page size.</summary>
    public ulong RegionBytes { get; }

    /// <summary>Writes the header and the ring headers into zero-filled memory; everything else starts as zero.</summary>
    /// <param name="start">At least <see cref="RegionBytes"/> writable bytes, 8-byte aligned.</param>
    /// <param name="sampleBytes">Mean bytes between samples at the beginning; 0: exact.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    /// <param name="mappings">Whether mappings are recorded, too.</param>
    public void Write(byte* start, ulong sampleBytes, ulong clockNs, bool mappings = false)
    {
        for (var i = 0; i < _shape.RingCount; i++)
        {
            var ring = (RingRecord*)(start + _rings) + i;
            ring->DataOffset = _data + ((ulong)i * _ringBytes);
            ring->Capacity = _ringBytes;
            ring->OwnerSlot = WireConstants.NoSlot;
        }

        var region = (RegionRecord*)start;
        region->Version = WireConstants.WireVersion;
        region->PageBytes = (uint)PageBytes;
        region->RegionBytes = RegionBytes;
        region->RingOffset = _rings;
        region->SlotOffset = _slots;
        region->ModuleOffset = _modules;
        region->NodeOffset = _nodes;
        region->ReusedOffset = _reused;
        region->CopyOffset = _copy;
        region->KeptOffset = _kept;
        region->RingCount = (uint)_shape.RingCount;
        region->SharedRingCount = (uint)_shape.SharedRingCount;
        region->SlotCount = (uint)_shape.SlotCount;
        region->ModuleCapacity = (uint)_shape.ModuleCapacity;
        region->NodeCapacity = (uint)_shape.NodeCapacity;
        region->ReusedCapacity = (uint)_shape.ReusedCapacity;
        region->SampleBytes = region->Sampling = sampleBytes;
        region->RecordsMappings = mappings ? 1u : 0u;
        region->ClockNs = clockNs;
        region->Control = (uint)Control.Record;
        region->NodeCount = 1; // the root
        Volatile.Write(ref region->Magic, WireConstants.RegionMagic);
    }

    private static ulong Align(ulong offset) => (offset + PageBytes - 1) & ~(PageBytes - 1);
}
