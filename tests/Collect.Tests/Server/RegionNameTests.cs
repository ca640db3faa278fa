using NativeHeap.Collect.Server;

namespace NativeHeap.Collect.Tests.Server;

/// <summary>The names of regions tell who made them, and where.</summary>
public sealed class RegionNameTests
{
    [Fact]
    public void A_name_tells_its_collector_its_place_and_whether_it_is_of_this_run()
    {
        var place = RegionName.PlaceOf("/run/a/socket");
        var name = RegionName.Parse($"/memfd:{RegionName.Next(place)} (deleted)");
        Assert.Equal(new RegionName(Environment.ProcessId, place, IsOurs: true), name);
        // In a container the collector before this one had the same pid.
        var before = $"/memfd:nativeheap-{Environment.ProcessId}-1-{place}-1f (deleted)";
        Assert.Equal(new RegionName(Environment.ProcessId, place, IsOurs: false), RegionName.Parse(before));
        Assert.Equal(new RegionName(4711, null, IsOurs: false), RegionName.Parse("/memfd:nativeheap-4711-12 (deleted)"));
    }

    [Fact]
    public void Names_are_unique_and_places_differ_by_their_paths()
    {
        Assert.NotEqual(RegionName.Next(null), RegionName.Next(null));
        Assert.Equal(RegionName.PlaceOf("/a"), RegionName.PlaceOf("/a"));
        Assert.NotEqual(RegionName.PlaceOf("/a"), RegionName.PlaceOf("/b"));
        Assert.True(RegionName.Next(RegionName.PlaceOf("/a")).Length < 249); // memfd_create(2)
    }

    [Theory]
    [InlineData("/memfd:other (deleted)")]
    [InlineData("/memfd:nativeheap-doctor (deleted)")]
    [InlineData("/memfd:nativeheap- (deleted)")]
    [InlineData("/memfd:nativeheap-99999999999-1")]
    [InlineData("/tmp/nativeheap-1-2")]
    [InlineData("")]
    public void What_is_no_region_has_no_such_name(string path) => Assert.Null(RegionName.Parse(path));
}
