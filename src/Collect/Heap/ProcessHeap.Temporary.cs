using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// Blocks that their thread gave back before it allocated anything else (heaptrack's temporary allocations), whose two
/// events came one after the other: the block need not enter the live table, and what its birth adds and its death takes
/// away is not touched. Every figure is what two events would have made of it.
/// </summary>
internal sealed unsafe partial class ProcessHeap
{
    /// <summary>Counts a birth and the death that follows it in the ring.</summary>
    /// <returns>False, and nothing has changed, when it is another's turn, when the block was a new peak, or when something
    /// about it is not as usual: then each is an event of its own.</returns>
    public bool TryTemporary(ulong address, ulong size, uint node, uint birthOrder, uint deathOrder)
    {
        var bytes = (long)size;
        var stack = _indexByNode.Find(node);
        if (stack < 0 || _ignored is not null || _order.Parked != 0
            || size > LiveBlock.MaxBytes || _live + bytes > _ceiling
            || Blocks.Get(address) is not null
            || !_order.TryTakeBoth(StripeOrder.Stripe(address), birthOrder, deathOrder))
        {
            return false;
        }

        _high = Math.Max(_high, _live + bytes);
        CountTemporary(ref Stacks[stack], stack, bytes);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountTemporary(ref StackTotal total, int stack, long bytes)
    {
        if (total.Marks.Word != _usualMarks)
        {
            MarkBirth(ref total, stack, 1, bytes);
            if (total.Marks.Shared)
            {
                CountShare(ref total.Freed, stack, _thread, freed: true, 1, bytes);
            }
        }

        if (total.OpenBucket != _bucket)
        {
            CarryCohorts(ref total, stack, Cohorts);
            total.OpenBucket = _bucket;
        }

        total.Allocations++;
        total.AllocatedBytes += bytes;
        total.Frees++;
        total.FreedBytes += bytes;
        total.Temporary++;
        total.TemporaryBytes += bytes;
        CountSize(ref total, stack, bytes, 1, bytes);
        CountLifetime(ref total, stack, milliseconds: 0, 1, bytes);
        Bury(ref total, stack, _bucket, 1, bytes);
        _births++;
        _birthBytes += bytes;
        _deaths++;
        _temporary++;
        _lastBirth = 0;
    }
}
