using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// Blocks that their thread gave back before it allocated anything else (heaptrack's temporary allocations), whose two
/// events came one after the other: the block need not enter the live table, and what its birth adds and its death takes
/// away is not touched. Every figure is what two events would have made of it.
/// </summary>
internal sealed partial class ProcessHeap
{
    /// <summary>Applies a birth and the death that follows it in the ring.</summary>
    /// <returns>False, and nothing has changed, when it is another's turn, when the block was a new peak, or when something
    /// about it is not as usual: then each is an event of its own.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTemporary(
        ulong address, uint birthOrder, uint deathOrder, ulong size, uint node, ushort threadIndex, int stream, uint timeMs)
    {
        var bytes = (long)size;
        var stack = _indexByNode.Find(node);
        if (stack < 0 || _ignored is not null || _order.Parked != 0
            || address == 0 || Live.Bytes + bytes > Live.PeakBytes || _trace.Bytes + bytes > _trace.PeakBytes
            || Blocks.Contains(address)
            || !_order.TryTakeBoth(StripeOrder.Stripe(address), birthOrder, deathOrder))
        {
            return false;
        }

        ApplyTemporary(stack, bytes, threadIndex, timeMs);
        Streams[stream].Touch(bytes, LastPass);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ApplyTemporary(int stack, long bytes, ushort threadIndex, uint timeMs)
    {
        var bucket = _buckets.Of(timeMs);
        ref var total = ref Stacks[stack];
        MarkDirty(stack);
        if (total.Thread != threadIndex || total.Shared)
        {
            Share(stack);
            Shares.Add(ShareKey(stack, threadIndex, freed: false), 1, bytes);
            Shares.Add(ShareKey(stack, threadIndex, freed: true), 1, bytes);
        }

        CountTemporary(ref total, stack, bytes, bucket);

        Allocations++;
        AllocatedBytes += bytes;
        Frees++;
        FreedBytes += bytes;
        TemporaryAllocations++;
        ref var thread = ref Threads[threadIndex];
        thread.Allocations++;
        thread.AllocatedBytes += bytes;
        thread.LastBirth = 0;
        thread.Dirty = true;

        ref var point = ref Timeline.At(bucket, Live.Bytes);
        point.Allocations++;
        point.AllocatedBytes += bytes;
        point.PeakBytes = Math.Max(point.PeakBytes, Live.Bytes + bytes);
        point.Dirty = true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountTemporary(ref StackTotal total, int stack, long bytes, uint bucket)
    {
        if (total.OpenBucket != bucket)
        {
            CarryCohorts(ref total, stack);
            total.OpenBucket = bucket;
        }

        total.ShutBlocks++;
        total.ShutBytes += bytes;
        CountSize(ref total, stack, bytes, 1, bytes);
        CountLifetime(ref total, stack, milliseconds: 0, 1, bytes);
        total.Allocations++;
        total.AllocatedBytes += bytes;
        total.Frees++;
        total.FreedBytes += bytes;
        total.Temporary++;
        total.TemporaryBytes += bytes;
    }
}
