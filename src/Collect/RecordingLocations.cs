using NativeHeap.Collect.Stacks;
using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>The places of a recording that has finished, waiting for names. Each is named once.</summary>
internal sealed class RecordingLocations(StackRegistry registry, TraceWriter writer) : ILocationStore
{
    private readonly HashSet<LocationId> _named = [];

    /// <inheritdoc/>
    public IReadOnlyList<UnresolvedLocation> Unresolved =>
    [
        .. registry.Locations
            .Select((place, index) => new UnresolvedLocation(new LocationId(index + 1), ToLocation(place)))
            .Where(place => place.Location.Kind == FrameKind.Native && !_named.Contains(place.Id)),
    ];

    /// <inheritdoc/>
    public void Store(IReadOnlyList<ResolvedLocation> resolved)
    {
        ArgumentNullException.ThrowIfNull(resolved);
        writer.Begin();
        foreach (var place in resolved)
        {
            if (_named.Add(place.Id))
            {
                writer.WriteFrames(place.Id, place.Frames);
            }
        }

        writer.Commit();
    }

    private Location ToLocation((int Module, ulong Offset, FrameKind Kind) place) =>
        new(place.Module == 0 ? null : registry.Modules[place.Module - 1], place.Offset, place.Kind);
}
