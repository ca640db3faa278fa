namespace NativeHeap.Collect.Heap;

/// <summary>
/// What a block of a sampled recording stands for. For any number of threads.
/// </summary>
/// <remarks>
/// <para>The shim samples by a Poisson process over bytes: with a mean of T bytes between samples, a block of s bytes
/// (one byte is added, so that blocks of 0 bytes have their chance) is recorded with the probability
/// <c>p(s) = 1 - exp(-(s + 1) / T)</c>, whatever happened before (native/sampling/sampler.h).</para>
/// <para>Each recorded block counts as 1/p blocks and s/p bytes (Horvitz and Thompson 1952): the expectation of the sum
/// over recorded blocks is then the sum over all of them, whichever blocks are chosen by something that does not
/// depend on the sampling: those of a stack, of a size, alive at a moment. The variance of a count of n blocks of s
/// bytes is <c>n (1 - p) / p</c>, that of their bytes <c>n s² (1 - p) / p</c>.</para>
/// <para>Whole numbers are kept, and rounding to the nearest would be biased where p is not small. So a number x becomes
/// floor(x + u), whose expectation is x for a u that is even over [0, 1); with the fraction f of x, this adds
/// <c>n p f (1 - f)</c> to the variance of a sum over n blocks. u comes from the block's address, birth, size and luck,
/// all of which are kept with it: at its death the same block weighs what it weighed at its birth. Luck is the number
/// of the birth in its address's stripe: a loop gets the same address many times in a millisecond, and if all of these
/// were rounded the same way, estimates would vary more than the sampling makes them.</para>
/// </remarks>
internal sealed class SampleWeight
{
    private readonly double _mean;

    /// <summary>Weights of a recording.</summary>
    /// <param name="meanBytes">T, at least 1.</param>
    public SampleWeight(ulong meanBytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(meanBytes);
        _mean = meanBytes;
    }

    /// <summary>What a recorded block stands for.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="bytes">Its size, at most <see cref="LiveBlock.MaxBytes"/>.</param>
    /// <param name="birthMs">Its birth, in milliseconds since the trace's start.</param>
    /// <param name="luck">Its <see cref="LiveBlock.Luck"/>.</param>
    /// <returns>Estimates of blocks (at least 1) and bytes.</returns>
    public (long Blocks, long Bytes) Of(ulong address, ulong bytes, uint birthMs, uint luck)
    {
        var weight = 1 / Probability(bytes);
        var random = Mix(address ^ Mix(((ulong)birthMs << 48) ^ ((ulong)birthMs >> 16) ^ Mix(bytes ^ ((ulong)luck << 48))));
        return (Round(weight, (uint)random), Round(bytes * weight, (uint)(random >> 32)));
    }

    /// <summary>The same of a block as it is kept.</summary>
    public (long Blocks, long Bytes) Of(in LiveBlock block) =>
        Of(block.Address, (ulong)block.Bytes, block.BirthMs, block.Luck);

    /// <summary>With what probability a block of a size is recorded.</summary>
    public double Probability(ulong bytes)
    {
        var x = (bytes + 1.0) / _mean;
        return x < 64 ? 2 * Math.Exp(-x / 2) * Math.Sinh(x / 2) : 1; // 1 - exp(-x), also for small x
    }

    private static long Round(double number, uint random)
    {
        var moved = number + (random / 4294967296.0);
        return moved >= long.MaxValue / 2 ? long.MaxValue / 2 : (long)moved;
    }

    // The finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
