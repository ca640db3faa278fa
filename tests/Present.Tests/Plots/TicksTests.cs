using CsCheck;
using NativeHeap.Present.Plots;

namespace NativeHeap.Present.Tests.Plots;

public sealed class TicksTests
{
    [Theory]
    [InlineData(100, "0 B,16 B,32 B,48 B,64 B,80 B,96 B")]
    [InlineData(3_000_000, "0 MiB,0.5 MiB,1 MiB,1.5 MiB,2 MiB,2.5 MiB")]
    [InlineData(50_000_000, "0 MiB,8 MiB,16 MiB,24 MiB,32 MiB,40 MiB")]
    [InlineData(9e9, "0 GiB,2 GiB,4 GiB,6 GiB,8 GiB")]
    public void Bytes_are_counted_in_powers_of_two(double high, string labels) =>
        Assert.Equal(labels, string.Join(',', Ticks.Bytes(high, 7).Select(tick => tick.Label)));

    [Theory]
    [InlineData(0.02e9, "0 ms,5 ms,10 ms,15 ms,20 ms")]
    [InlineData(1e9, "0 ms,200 ms,400 ms,600 ms,800 ms,1000 ms")]
    [InlineData(3.4e9, "0 s,0.5 s,1 s,1.5 s,2 s,2.5 s,3 s")]
    [InlineData(60e9, "0 s,10 s,20 s,30 s,40 s,50 s,60 s")]
    [InlineData(4000e9, "0 min,10 min,20 min,30 min,40 min,50 min,60 min")]
    [InlineData(86400e9, "0 h,6 h,12 h,18 h,24 h")]
    public void Time_is_counted_as_people_do(double high, string labels) =>
        Assert.Equal(labels, string.Join(',', Ticks.Time(high, 7).Select(tick => tick.Label)));

    [Fact]
    public void Ticks_rise_within_the_axis_and_are_not_too_many() =>
        (from high in Gen.Double[1, 1e18] from wanted in Gen.Int[2, 12] select (high, wanted)).Sample(axis =>
        {
            foreach (var ticks in new[] { Ticks.Bytes(axis.high, axis.wanted), Ticks.Time(axis.high, axis.wanted) })
            {
                Assert.InRange(ticks.Count, 1, axis.wanted + 1);
                Assert.Equal(0, ticks[0].Position);
                Assert.InRange(ticks[^1].Position, 0, axis.high * (1 + 1e-9));
                Assert.Equal(ticks.Count, ticks.Select(tick => tick.Label).Distinct().Count());
                Assert.Equal(ticks.Select(tick => tick.Position).Order(), ticks.Select(tick => tick.Position));
            }
        });

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.00 KiB")]
    [InlineData(46_797, "45.7 KiB")]
    [InlineData(256L << 20, "256 MiB")]
    [InlineData(long.MaxValue, "8.00 EiB")]
    public void An_amount_has_the_unit_that_suits_it(long bytes, string text) => Assert.Equal(text, Ticks.Amount(bytes));
}
