using System.Runtime.InteropServices;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>A region in plain memory.</summary>
internal sealed unsafe class TargetMemory : IRegionMemory
{
    private readonly byte* _start;

    public TargetMemory(RegionShape? shape = null, ulong ringBytes = 4096, ulong sampleBytes = 0, bool keepsBlocks = false)
    {
        var layout = new RegionLayout(shape ?? new RegionShape(8, 1, 8, 32, 4096, 64), ringBytes, keepsBlocks);
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)layout.RegionBytes, 4096);
        NativeMemory.Clear(_start, (nuint)layout.RegionBytes);
        layout.Write(_start, sampleBytes, 1);
        View = new RegionView(_start, layout.RegionBytes);
    }

    public RegionView View { get; }

    /// <summary>What a test says of other processes.</summary>
    public bool MappedByOthers { get; set; }

    public bool IsDisposed { get; private set; }

    public bool IsMappedByOthers() => MappedByOthers;

    public MappedCopyWindow? OpenCopyWindow(TimeSpan patience) => null;

    // Tests look at the region after the recording has let go of it; a few hundred KiB stay.
    public void Dispose() => IsDisposed = true;
}
