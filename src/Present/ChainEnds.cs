using NativeHeap.Graph.Objects;

namespace NativeHeap.Present;

/// <summary>What is shown of a chain: all of it, or both ends of a very long one (a linked list of thousands).</summary>
internal static class ChainEnds
{
    private const int Most = 40;

    /// <summary>The links that are shown, each with how many are left out right before it.</summary>
    public static IEnumerable<(ChainLink Link, int LeftOut)> Of(HolderChain chain)
    {
        var links = chain.Links;
        var leftOut = Math.Max(0, links.Count - Most);
        for (var i = 0; i < links.Count - leftOut; i++)
        {
            var isLate = i >= Most / 2;
            yield return (links[isLate ? i + leftOut : i], i == Most / 2 ? leftOut : 0);
        }
    }
}
