using System.Diagnostics;
using NativeHeap.Collect.Server;

namespace NativeHeap.Collect.Tests.Server;

public sealed unsafe class RegionTests
{
    [Fact]
    public void Without_a_limit_the_region_is_the_largest()
    {
        var largest = RegionSize.Fit(0);
        Assert.NotNull(largest);
        Assert.Equal(largest.RegionBytes, RegionSize.Fit(ulong.MaxValue)!.RegionBytes);
        Assert.True(largest.RegionBytes > 128 << 20);
    }

    [Theory]
    [InlineData(1UL << 33)]
    [InlineData(100_000_000UL)]
    [InlineData(20_000_000UL)]
    [InlineData(3_000_000UL)]
    public void A_limit_is_kept(ulong limit)
    {
        var layout = RegionSize.Fit(limit);
        Assert.NotNull(layout);
        Assert.InRange(layout.RegionBytes, 1UL, limit);
    }

    [Fact]
    public void A_limit_too_small_for_any_region_gives_none() => Assert.Null(RegionSize.Fit(1_000_000));

    [Fact]
    public void The_owner_word_is_held_by_a_living_thread_until_it_is_given_up()
    {
        uint word = 0;
        using (var mark = new OwnerMark(&word))
        {
            Assert.True(Directory.Exists($"/proc/self/task/{word}"));
        }
        Assert.Equal(0u, word);
    }

    [Fact]
    public void A_region_that_is_disposed_is_unmapped()
    {
        var name = "nativeheap-" + Guid.NewGuid().ToString("N");
        var region = SharedRegion.Create(RegionSize.Fit(0)!, name, 0, (ulong)Stopwatch.GetTimestamp());
        Assert.NotNull(region);
        Assert.Contains(name, File.ReadAllText("/proc/self/maps"), StringComparison.Ordinal);
        region.Dispose();
        Assert.DoesNotContain(name, File.ReadAllText("/proc/self/maps"), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_mapping_is_noticed_and_leaves_the_contents_alone()
    {
        using var region = SharedRegion.Create(RegionSize.Fit(0)!, "nativeheap-test", 0, 1);
        Assert.NotNull(region);
        var other = Collect.Server.Libc.MapWhole(region.Memory, region.Bytes);
        Assert.True(other != null);
        region.View.ClockNs = 42;
        Assert.True(region.IsMappedByOthers());
        Assert.Equal(42ul, region.View.ClockNs);
        Assert.Equal(42ul, new Wire.RegionView(other, region.Bytes).ClockNs);

        Collect.Server.Libc.Unmap(other, region.Bytes);
        Assert.False(region.IsMappedByOthers());
        Assert.False(region.IsMappedByOthers());
        region.View.ClockNs = 43; // a late heartbeat finds memory
    }
}
