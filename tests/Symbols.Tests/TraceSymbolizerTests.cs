using NativeHeap.Model;

namespace NativeHeap.Symbols.Tests;

public class TraceSymbolizerTests
{
    private static readonly Binary s_first = new("/first", "aa");
    private static readonly Binary s_second = new("/second", null);

    [Fact]
    public void Every_place_that_resolves_is_stored_under_its_own_id_and_only_those()
    {
        var store = new FakeStore(
            new(s_second, 20, FrameKind.Native),
            new(s_first, 10, FrameKind.Native),
            new(null, 30, FrameKind.Native),
            new(s_first, 13, FrameKind.Native),
            new(s_first, 4, FrameKind.Entry),
            new(s_second, 10, FrameKind.Native));
        using var symbolizer = new FakeSymbolizer();

        var result = new TraceSymbolizer(symbolizer).Complete(store, TestContext.Current.CancellationToken);

        Assert.Equal((4, 3), result);
        Assert.Equal(
            [(1, "/second 20"), (2, "/first 10"), (6, "/second 10")],
            store.Stored.OrderBy(entry => entry.Id.Value).Select(entry => (entry.Id.Value, entry.Frames[0].Function)));
    }

    [Fact]
    public void Places_are_asked_for_binary_by_binary_in_rising_order()
    {
        var places = Enumerable.Range(1, 200_000).Select(i => new Location(i % 2 == 0 ? s_first : s_second, (ulong)(i ^ 0x55) + 1, FrameKind.Native));
        var store = new FakeStore([.. places]);
        using var symbolizer = new FakeSymbolizer();

        new TraceSymbolizer(symbolizer).Complete(store, TestContext.Current.CancellationToken);

        Assert.Equal(200_000, symbolizer.Asked.Count);
        Assert.Equal(
            symbolizer.Asked.OrderBy(place => place.Module!.Path, StringComparer.Ordinal).ThenBy(place => place.Offset),
            symbolizer.Asked);
        Assert.True(symbolizer.Calls > 1, "what was named so far is stored on the way");
        Assert.Equal(symbolizer.Calls, store.Calls);
    }

    // Names a place after itself, and nothing whose offset is odd.
    private sealed class FakeSymbolizer : ISymbolizer
    {
        public List<Location> Asked { get; } = [];

        public int Calls { get; private set; }

        public IReadOnlyList<string> Notes => [];

        public IReadOnlyList<IReadOnlyList<ResolvedFrame>> Resolve(IReadOnlyList<Location> locations, CancellationToken cancellation)
        {
            Asked.AddRange(locations);
            Calls++;
            return [.. locations.Select(place => place.Offset % 2 == 1
                ? []
                : (IReadOnlyList<ResolvedFrame>)[new ResolvedFrame($"{place.Module!.Path} {place.Offset}", null, null, false)])];
        }

        public void Dispose()
        {
        }
    }

    private sealed class FakeStore(params Location[] places) : ILocationStore
    {
        public List<ResolvedLocation> Stored { get; } = [];

        public int Calls { get; private set; }

        public IReadOnlyList<UnresolvedLocation> Unresolved =>
            [.. places.Select((place, i) => new UnresolvedLocation(new LocationId(i + 1), place))];

        public void Store(IReadOnlyList<ResolvedLocation> resolved)
        {
            Stored.AddRange(resolved);
            Calls++;
        }
    }
}
