using System.Runtime.CompilerServices;

namespace NativeHeap.Managed.Heaps;

/// <summary>Tells which segment an address lies in, in a few steps however many there are: a directory of the address space
/// leads, for each MiB, to the first segment that ends behind its start.</summary>
internal sealed class SegmentMap
{
    private const int PageBits = 20;
    private const int LeafBits = 30;
    private const int LeafPages = 1 << (LeafBits - PageBits);
    private const int AddressBits = 47;

    private readonly ulong[] _starts;
    private readonly ulong[] _ends;
    private readonly int[]?[] _leaves = new int[]?[1 << (AddressBits - LeafBits)];

    /// <param name="segments">By rising address; none overlap.</param>
    public SegmentMap(IReadOnlyList<HeapCopy.Segment> segments)
    {
        _starts = [.. segments.Select(segment => segment.Start)];
        _ends = [.. segments.Select(segment => segment.End)];
        for (var i = _ends.Length - 1; i >= 0 && _ends[^1] <= 1UL << AddressBits; i--)
        {
            for (var page = _starts[i] >> PageBits; page <= (_ends[i] - 1) >> PageBits; page++)
            {
                var leaf = _leaves[page / LeafPages] ??= new int[LeafPages];
                leaf[page % LeafPages] = i + 1; // lower ones overwrite: 0 is none
            }
        }
    }

    /// <summary>The segment's number; -1 when the address lies in none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(ulong address)
    {
        if (address >= 1UL << AddressBits || _leaves[address >> LeafBits] is not { } leaf)
        {
            return -1;
        }

        var ends = _ends;
        var i = leaf[(address >> PageBits) & (LeafPages - 1)] - 1;
        while ((uint)i < (uint)ends.Length && ends[i] <= address)
        {
            i++;
        }

        return (uint)i < (uint)ends.Length && _starts[i] <= address ? i : -1;
    }
}
