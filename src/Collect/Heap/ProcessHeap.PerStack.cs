using System.Numerics;
using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>What is counted apart for each stack: cohorts, sizes, lifetimes, shares of threads. A total keeps what it counted
/// last for itself, so that an event seldom needs a table.</summary>
internal sealed partial class ProcessHeap
{
    /// <summary>Carries what the totals keep for themselves over to the cohorts, histograms and shares.</summary>
    public void CarryOver()
    {
        for (var i = 0; i < _dirty.Count; i++)
        {
            var stack = _dirty[i];
            ref var total = ref Stacks[stack];
            CarryCohorts(ref total, stack);
            for (var place = 0; place < RecentBuckets.Count; place++)
            {
                Carry(stack, lifetime: false, total.Sizes.TakeAt(place));
                Carry(stack, lifetime: true, total.Lifetimes.TakeAt(place));
            }

            CarryShare(ref total.Born, stack, freed: false);
            CarryShare(ref total.Freed, stack, freed: true);
        }
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
        CarryShut(ref total, stack);
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
        Carry(stack, lifetime, recent.Take(bucket));
        Histograms.Add(HistogramKey(stack, lifetime, bucket), blocks, bytes);
    }

    private void Carry(int stack, bool lifetime, (int Bucket, SmallSum Sum) recent)
    {
        if (!recent.Sum.IsEmpty)
        {
            Histograms.Add(HistogramKey(stack, lifetime, recent.Bucket), recent.Sum.Blocks, recent.Sum.Bytes);
        }
    }

    private void CountShare(ref RecentShare recent, int stack, ushort thread, bool freed, long blocks, long bytes)
    {
        if (recent.Thread != thread || blocks != 1 || !recent.Sum.TryAdd(bytes))
        {
            CarryShare(ref recent, stack, freed);
            recent.Thread = thread;
            Shares.Add(ShareKey(stack, thread, freed), blocks, bytes);
        }
    }

    private void CarryShare(ref RecentShare recent, int stack, bool freed)
    {
        if (!recent.Sum.IsEmpty)
        {
            Shares.Add(ShareKey(stack, recent.Thread, freed), recent.Sum.Blocks, recent.Sum.Bytes);
            recent.Sum = default;
        }
    }

    private void CarryCohorts(ref StackTotal total, int stack)
    {
        var (blocks, bytes) = (total.Allocations - total.OpenFromBlocks, total.AllocatedBytes - total.OpenFromBytes);
        if (blocks != 0 || bytes != 0)
        {
            Cohorts.Add(CohortKey(stack, total.OpenBucket, Alive), blocks, bytes);
            (total.OpenFromBlocks, total.OpenFromBytes) = (total.Allocations, total.AllocatedBytes);
        }

        CarryShut(ref total, stack);
    }

    private void CarryShut(ref StackTotal total, int stack)
    {
        if (!total.Shut.IsEmpty)
        {
            Cohorts.Add(CohortKey(stack, 0, 0) | total.ShutCohort, total.Shut.Blocks, total.Shut.Bytes);
            total.Shut = default;
        }
    }
}
