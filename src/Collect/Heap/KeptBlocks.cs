using System.Numerics;
using System.Runtime.InteropServices;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// Blocks that were recorded because all were, and live on while births are sampled: the shim is to tell of their frees and
/// of few others. A bit of the region for each address, several to a bit where they fall together; how many, only we
/// know, so that the last that dies takes the bit away. For one thread.
/// </summary>
internal sealed unsafe class KeptBlocks : IDisposable
{
    /// <summary>More are not kept: putting them in would take too long, and every free is told.</summary>
    public const long Most = 1L << ((int)WireConstants.MostKeptBits - SparsenessBits);

    private const int SparsenessBits = 4; // one bit in 16 is set at most: so many frees of other blocks are told for nothing
    private const int FewestBits = 15;
    private const byte Full = byte.MaxValue; // stays: nobody knows how many there were

    private readonly RegionView _region;
    private byte* _counts;

    /// <summary>Keeps nothing yet.</summary>
    /// <param name="region">Has bits, of which no process makes use now.</param>
    /// <param name="blocks">About how many there will be.</param>
    public KeptBlocks(RegionView region, long blocks)
    {
        _region = region;
        Bits = Math.Clamp(
            BitOperations.Log2((ulong)Math.Max(1, blocks)) + 1 + SparsenessBits, FewestBits, (int)WireConstants.MostKeptBits);
        _counts = (byte*)NativeMemory.AllocZeroed((nuint)1 << Bits);
        _region.ClearKept(Bits);
    }

    /// <summary>The logarithm of how many bits there are.</summary>
    public int Bits { get; }

    /// <summary>Keeps a block.</summary>
    public void Add(ulong address)
    {
        var place = PlaceOf(address);
        if (_counts[place] != Full && ++_counts[place] == 1)
        {
            _region.MarkKept(place, true);
        }
    }

    /// <summary>Does not keep a block any more.</summary>
    public void Remove(ulong address)
    {
        var place = PlaceOf(address);
        if (_counts[place] is not (0 or Full) && --_counts[place] == 0)
        {
            _region.MarkKept(place, false);
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_counts);
        _counts = null;
    }

    private ulong PlaceOf(ulong address) => ((address >> 4) * WireConstants.StripeMultiplier) >> (64 - Bits);
}
