using System.Globalization;
using CsCheck;

namespace NativeHeap.Cli.Tests;

public sealed class QuantitiesTests
{
    [Theory]
    [InlineData("4096", 4096L)]
    [InlineData("512KiB", 512L * 1024)]
    [InlineData("1MB", 1_000_000L)]
    [InlineData("1.5 GiB", 3L << 29)]
    [InlineData("0", 0L)]
    [InlineData("8EiB", null)]
    [InlineData("99999999TiB", null)]
    [InlineData("1.5", null)]
    [InlineData("-1", null)]
    [InlineData("MB", null)]
    [InlineData("", null)]
    [InlineData("1e3", null)]
    [InlineData("1,000", null)]
    public void Sizes_are_read_or_refused(string text, long? bytes)
    {
        Assert.Equal(bytes is not null, Quantities.TryParseSize(text, out var read));
        Assert.Equal(bytes ?? 0, read);
    }

    [Theory]
    [InlineData("500ms", 500_000_000L)]
    [InlineData("30s", 30_000_000_000)]
    [InlineData("1.5m", 90_000_000_000)]
    [InlineData("2h", 7_200_000_000_000)]
    [InlineData("0", 0L)]
    [InlineData("30", null)]
    [InlineData("s", null)]
    [InlineData("10M", null)]
    public void Durations_are_read_or_refused(string text, long? nanoseconds)
    {
        Assert.Equal(nanoseconds is not null, Quantities.TryParseDuration(text, out var read));
        Assert.Equal(nanoseconds ?? 0, read);
    }

    [Fact]
    public void Any_number_of_bytes_is_read_as_itself() => Gen.Long[0, long.MaxValue].Sample(
        bytes => Quantities.TryParseSize(bytes.ToString(CultureInfo.InvariantCulture), out var read) && read == bytes);

    [Fact]
    public void No_text_throws_and_none_is_negative() => Gen.String.Sample(
        text => (!Quantities.TryParseSize(text, out var bytes) || bytes >= 0)
            && (!Quantities.TryParseDuration(text, out var time) || time >= 0));
}
