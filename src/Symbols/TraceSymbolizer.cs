using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>Names the places of a trace that have no names yet, binary by binary, storing as it goes: what is stored
/// when it is interrupted stays.</summary>
/// <param name="symbolizer">Does the naming; stays the caller's.</param>
public sealed class TraceSymbolizer(ISymbolizer symbolizer)
{
    private const int LocationsAtOnce = 64 * 1024;

    /// <summary>Resolves what <paramref name="store"/> has unresolved.</summary>
    /// <returns>How many places were looked up and how many of them got a name.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; what was stored before stays.</exception>
    public (int Asked, int Resolved) Complete(ILocationStore store, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        var waiting = store.Unresolved
            .Where(place => place.Location is { Kind: FrameKind.Native, Module: not null })
            .OrderBy(place => place.Location.Module!.Path, StringComparer.Ordinal)
            .ThenBy(place => place.Location.Module!.BuildId, StringComparer.Ordinal)
            .ThenBy(place => place.Location.Offset)
            .ToList();
        var resolved = 0;
        foreach (var batch in waiting.Chunk(LocationsAtOnce))
        {
            var frames = symbolizer.Resolve([.. batch.Select(place => place.Location)], cancellation);
            var named = batch
                .Zip(frames, (place, found) => new ResolvedLocation(place.Id, found))
                .Where(place => place.Frames.Count > 0)
                .ToList();
            store.Store(named);
            resolved += named.Count;
        }

        return (waiting.Count, resolved);
    }
}
