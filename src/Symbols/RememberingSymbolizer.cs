using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>Asks another symbolizer for each place once. For whoever reads a growing trace again and again; not for
/// several threads at once.</summary>
/// <param name="inner">The other one; stays the caller's.</param>
public sealed class RememberingSymbolizer(ISymbolizer inner) : ISymbolizer
{
    private readonly Dictionary<Location, IReadOnlyList<ResolvedFrame>> _known = [];

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes => inner.Notes;

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<ResolvedFrame>> Resolve(
        IReadOnlyList<Location> locations, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(locations);
        var unknown = locations.Where(location => !_known.ContainsKey(location)).Distinct().ToList();
        if (unknown.Count > 0)
        {
            var found = inner.Resolve(unknown, cancellation);
            for (var i = 0; i < unknown.Count; i++)
            {
                _known[unknown[i]] = found[i];
            }
        }

        return [.. locations.Select(location => _known[location])];
    }

    /// <summary>Forgets nothing: the next reading asks for the same places.</summary>
    public void Dispose()
    {
        // What is remembered is the point, and the other symbolizer is not ours.
    }
}
