namespace NativeHeap.Collect.Heap;

/// <summary>
/// Blocks that were recorded as samples of many, beside those that were recorded because all were. What a block counts for
/// was settled at its birth, and its total says it: totals of samples are others than those of the same node without.
/// </summary>
internal sealed unsafe partial class ProcessHeap
{
    /// <summary>The rates at which its blocks were sampled.</summary>
    public SampleRates Rates { get; } = new();

    /// <summary>Births were sampled for a while and are all recorded again: frees of blocks that nobody knows may be of those
    /// that were let pass then, whatever it began with.</summary>
    public bool HasUnrecorded { get; set; }

    /// <summary>Blocks whose frees are told although births are sampled; null: nobody keeps them.</summary>
    public KeptBlocks? Kept { get; set; }

    // The bytes that a sample counts for at its birth.
    private long BytesOfSample(in HeapOperation birth) => Rates.WeightOf(birth.Rate).Of(Sample(birth)).Bytes;

    /// <summary>Has the frees told of all its live blocks that were recorded because all were.</summary>
    public void Keep(KeptBlocks kept)
    {
        Blocks.ForEach(block =>
        {
            if (Stacks[block.Stack].Marks.Rate == 0)
            {
                kept.Add(block.Address);
            }
        });
        Kept = kept;
    }

    /// <summary>How many live blocks were recorded because all were: at most so many.</summary>
    public long CountUnsampled()
    {
        long blocks = 0;
        for (var i = 0; i < Stacks.Count; i++)
        {
            blocks += Stacks[i].Marks.Rate == 0 ? Stacks[i].LiveBlocks : 0;
        }

        return blocks;
    }

    private static LiveBlock Sample(in HeapOperation operation) =>
        new(operation.Address, operation.Bytes, luck: operation.Order, operation.TimeMs);

    // A death that may be of a block which was never recorded, or whose like were not.
    private long CountDeathAmongSamples(in HeapOperation operation)
    {
        if (Blocks.Get(operation.Address) is not null)
        {
            return CountDeath(operation.Address, operation.Temporary);
        }

        _ignored?.Remove(operation.Address);
        if (!operation.AmongSamples)
        {
            CountUnknown(1); // all frees are told, those of its like too
        }
        else if (operation.Rate != 0)
        {
            CountUnknown(Rates.WeightOf(operation.Rate).Of(Sample(operation)).Blocks);
        }

        return 0;
    }

    // Frees of blocks that are not in the table.
    private void CountUnknown(long frees)
    {
        switch (_before)
        {
            case HeapBefore.Inherited when !HasUnrecorded:
                InheritedFrees += frees;
                break;
            case HeapBefore.Earlier when !HasUnrecorded:
                EarlierFrees += frees;
                break;
            default:
                ForeignFrees += frees;
                break;
        }
    }
}
