using NativeHeap.Wire;

namespace NativeHeap.Collect.Server;

/// <summary>How large a region is made for a target.</summary>
internal static class RegionSize
{
    // From the usual size downwards. Memory is only used where it is written, so the sizes matter to a target whose
    // address space is limited, and to nobody else.
    private static readonly (RegionShape Shape, ulong RingBytes, bool KeepsBlocks)[] Sizes =
    [
        (new RegionShape(260, 4, 4096, 2048, 4 << 20, 512 << 10), 128 << 10, true),
        (new RegionShape(132, 4, 1024, 1024, 1 << 20, 256 << 10), 64 << 10, true),
        (new RegionShape(68, 4, 512, 512, 256 << 10, 64 << 10), 32 << 10, false),
        (new RegionShape(20, 4, 128, 256, 64 << 10, 16 << 10), 16 << 10, false),
    ];

    /// <summary>The smallest layout there is.</summary>
    public static RegionLayout Smallest => new(Sizes[^1].Shape, Sizes[^1].RingBytes);

    /// <summary>The largest layout that fits, or null when even the smallest does not.</summary>
    /// <param name="limit">Most bytes of a region, as the target asks; 0: no limit.</param>
    public static RegionLayout? Fit(ulong limit) => Fitting(limit).FirstOrDefault();

    /// <summary>Every layout that fits, the largest first: the collector may have less room than the target.</summary>
    /// <param name="limit">Most bytes of a region, as the target asks; 0: no limit.</param>
    public static IEnumerable<RegionLayout> Fitting(ulong limit) =>
        Sizes.Select(size => new RegionLayout(size.Shape, size.RingBytes, size.KeepsBlocks))
            .Where(layout => limit == 0 || layout.RegionBytes <= limit);
}
