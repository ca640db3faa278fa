using System.Numerics;
using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>What is counted by bucket: cohorts, sizes, lifetimes. A total keeps the buckets it used last for itself, so
/// that an event seldom needs a table.</summary>
internal sealed partial class ProcessHeap
{
    /// <summary>Carries what the totals keep for themselves over to the cohorts and histograms.</summary>
    public void CarryOver()
    {
        for (var i = 0; i < _dirty.Count; i++)
        {
            ref var total = ref Stacks[_dirty[i]];
            CarryCohorts(ref total, _dirty[i]);
            CarrySizes(ref total, _dirty[i]);
            CarryLifetimes(ref total, _dirty[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Bury(ref StackTotal total, int stack, uint birth, uint death, long blocks, long bytes)
    {
        if (total.OpenBucket == birth)
        {
            total.OpenBlocks -= blocks;
            total.OpenBytes -= bytes;
            if (death == birth)
            {
                total.ShutBlocks += blocks;
                total.ShutBytes += bytes;
                return;
            }
        }
        else
        {
            Cohorts.Add(CohortKey(stack, birth, Alive), -blocks, -bytes);
        }

        Cohorts.Add(CohortKey(stack, birth, death), blocks, bytes);
    }

    private static int BitLength(ulong value) => 64 - BitOperations.LeadingZeroCount(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountSize(ref StackTotal total, int stack, long size, long blocks, long bytes)
    {
        var bucket = (byte)BitLength((ulong)size);
        if (total.SizeBucket != bucket)
        {
            CarrySizes(ref total, stack);
            total.SizeBucket = bucket;
        }

        total.SizeBlocks += blocks;
        total.SizeBytes += bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountLifetime(ref StackTotal total, int stack, uint milliseconds, long blocks, long bytes)
    {
        var bucket = (byte)BitLength(milliseconds * 1000UL);
        if (total.LifetimeBucket != bucket)
        {
            CarryLifetimes(ref total, stack);
            total.LifetimeBucket = bucket;
        }

        total.LifetimeBlocks += blocks;
        total.LifetimeBytes += bytes;
    }

    private void CarryCohorts(ref StackTotal total, int stack)
    {
        if (total.OpenBlocks != 0 || total.OpenBytes != 0)
        {
            Cohorts.Add(CohortKey(stack, total.OpenBucket, Alive), total.OpenBlocks, total.OpenBytes);
            total.OpenBlocks = total.OpenBytes = 0;
        }

        if (total.ShutBlocks != 0)
        {
            Cohorts.Add(CohortKey(stack, total.OpenBucket, total.OpenBucket), total.ShutBlocks, total.ShutBytes);
            total.ShutBlocks = total.ShutBytes = 0;
        }
    }

    private void CarrySizes(ref StackTotal total, int stack)
    {
        if (total.SizeBlocks != 0)
        {
            Histograms.Add(HistogramKey(stack, false, total.SizeBucket), total.SizeBlocks, total.SizeBytes);
            total.SizeBlocks = total.SizeBytes = 0;
        }
    }

    private void CarryLifetimes(ref StackTotal total, int stack)
    {
        if (total.LifetimeBlocks != 0)
        {
            Histograms.Add(HistogramKey(stack, true, total.LifetimeBucket), total.LifetimeBlocks, total.LifetimeBytes);
            total.LifetimeBlocks = total.LifetimeBytes = 0;
        }
    }
}
