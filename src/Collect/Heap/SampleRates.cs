using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>The means at which births of a process were sampled, numbered from 1; 0 stands for births that were recorded
/// because all were. For one thread.</summary>
internal sealed class SampleRates : IDisposable
{
    /// <summary>Most means of a process; nobody needs more, and a target that pretends to is not believed.</summary>
    public const int Most = 64;

    private readonly List<(ulong Mean, SampleWeight Weight, IndexMap IndexByNode)> _rates = [];

    /// <summary>The number of a mean, a new one for a new mean.</summary>
    /// <returns>-1 when there can be no such mean, or there are too many.</returns>
    public int NumberOf(ulong mean)
    {
        var place = _rates.FindIndex(rate => rate.Mean == mean);
        if (place >= 0)
        {
            return place + 1;
        }

        if (mean is 0 or > WireConstants.SamplingMean || _rates.Count >= Most)
        {
            return -1;
        }

        _rates.Add((mean, new SampleWeight(mean), new IndexMap()));
        return _rates.Count;
    }

    /// <summary>What a block stands for that was sampled at the mean of that number, from 1.</summary>
    public SampleWeight WeightOf(int number) => _rates[number - 1].Weight;

    /// <summary>Totals of what was sampled at it, by node.</summary>
    public IndexMap IndexByNode(int number) => _rates[number - 1].IndexByNode;

    public void Dispose() => _rates.ForEach(rate => rate.IndexByNode.Dispose());
}
