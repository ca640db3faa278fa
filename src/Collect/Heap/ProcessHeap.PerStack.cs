using System.Numerics;
using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>What is counted apart for each stack: cohorts, sizes, lifetimes, shares of threads. A total keeps what it counted
/// last for itself, so that an event seldom needs a table.</summary>
internal sealed partial class ProcessHeap
{
    /// <summary>Carries what a total keeps for itself over to others.</summary>
    /// <param name="stack">Its index; only those of <see cref="DirtyStacks"/> keep anything.</param>
    /// <param name="cohorts">Gets what is counted by <see cref="CohortKey"/>.</param>
    /// <param name="histograms">Gets what is counted by <see cref="HistogramKey"/>.</param>
    /// <param name="shares">Gets what is counted by <see cref="ShareKey"/>.</param>
    public void CarryOver(int stack, IDeltas cohorts, IDeltas histograms, IDeltas shares)
    {
        ref var total = ref Stacks[stack];
        CarryCohorts(ref total, stack, cohorts);
        for (var place = 0; place < RecentBuckets.Count; place++)
        {
            Carry(stack, lifetime: false, total.Sizes.TakeAt(place), histograms);
            Carry(stack, lifetime: true, total.Lifetimes.TakeAt(place), histograms);
        }

        CarryShare(ref total.Born, stack, freed: false, shares);
        CarryShare(ref total.Freed, stack, freed: true, shares);
    }

    private static int BitLength(ulong value) => 64 - BitOperations.LeadingZeroCount(value);

    // Counts blocks of a bucket that died in this one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Bury(ref StackTotal total, int stack, uint birth, long blocks, long bytes)
    {
        var cohort = (uint)CohortKey(0, birth, _bucket);
        if (cohort != total.ShutCohort || total.Marks.Rate != 0 || !total.Shut.TryAdd(bytes))
        {
            BuryOther(ref total, stack, cohort, blocks, bytes);
        }
    }

    private void BuryOther(ref StackTotal total, int stack, uint cohort, long blocks, long bytes)
    {
        CarryShut(ref total, stack, Cohorts);
        total.ShutCohort = cohort;
        Cohorts.Add(CohortKey(stack, 0, 0) | cohort, blocks, bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountSize(ref StackTotal total, int stack, long size, long blocks, long bytes)
    {
        var bucket = BitLength((ulong)size);
        if (total.Marks.Rate != 0 || !total.Sizes.TryAdd(bucket, bytes))
        {
            CountOther(stack, lifetime: false, ref total.Sizes, bucket, blocks, bytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountLifetime(ref StackTotal total, int stack, uint milliseconds, long blocks, long bytes)
    {
        var bucket = BitLength(milliseconds * 1000UL);
        if (total.Marks.Rate != 0 || !total.Lifetimes.TryAdd(bucket, bytes))
        {
            CountOther(stack, lifetime: true, ref total.Lifetimes, bucket, blocks, bytes);
        }
    }

    private void CountOther(int stack, bool lifetime, ref RecentBuckets recent, int bucket, long blocks, long bytes)
    {
        Carry(stack, lifetime, recent.Take(bucket), Histograms);
        Histograms.Add(HistogramKey(stack, lifetime, bucket), blocks, bytes);
    }

    private static void Carry(int stack, bool lifetime, (int Bucket, SmallSum Sum) recent, IDeltas to)
    {
        if (!recent.Sum.IsEmpty)
        {
            to.Add(HistogramKey(stack, lifetime, recent.Bucket), recent.Sum.Blocks, recent.Sum.Bytes);
        }
    }

    private void CountShare(ref RecentShare recent, int stack, ushort thread, bool freed, long blocks, long bytes)
    {
        if (recent.Thread != thread || blocks != 1 || !recent.Sum.TryAdd(bytes))
        {
            CarryShare(ref recent, stack, freed, Shares);
            recent.Thread = thread;
            Shares.Add(ShareKey(stack, thread, freed), blocks, bytes);
        }
    }

    private static void CarryShare(ref RecentShare recent, int stack, bool freed, IDeltas to)
    {
        if (!recent.Sum.IsEmpty)
        {
            to.Add(ShareKey(stack, recent.Thread, freed), recent.Sum.Blocks, recent.Sum.Bytes);
            recent.Sum = default;
        }
    }

    private static void CarryCohorts(ref StackTotal total, int stack, IDeltas to)
    {
        var (blocks, bytes) = (total.Allocations - total.OpenFromBlocks, total.AllocatedBytes - total.OpenFromBytes);
        if (blocks != 0 || bytes != 0)
        {
            to.Add(CohortKey(stack, total.OpenBucket, Alive), blocks, bytes);
            (total.OpenFromBlocks, total.OpenFromBytes) = (total.Allocations, total.AllocatedBytes);
        }

        CarryShut(ref total, stack, to);
    }

    private static void CarryShut(ref StackTotal total, int stack, IDeltas to)
    {
        if (!total.Shut.IsEmpty)
        {
            to.Add(CohortKey(stack, 0, 0) | total.ShutCohort, total.Shut.Blocks, total.Shut.Bytes);
            total.Shut = default;
        }
    }
}
