namespace NativeHeap.Present.Tests;

public sealed class WordsTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(1024 * 1024 - 1, "1.0 MiB")] // and not 1024.0 KiB
    [InlineData(5L << 40, "5.0 TiB")]
    [InlineData(long.MaxValue, "8.0 EiB")]
    [InlineData(-2048, "-2.0 KiB")]
    public void Bytes_are_said_in_the_unit_that_fits(long bytes, string text) => Assert.Equal(text, Words.Bytes(bytes));

    [Theory]
    [InlineData(0, "0 s")]
    [InlineData(1_500, "1.5 µs")]
    [InlineData(12_340_000, "12.3 ms")]
    [InlineData(1_000_000_000, "1.00 s")]
    [InlineData(125_000_000_000, "2 min 5.0 s")]
    [InlineData(11_040_000_000_000, "3 h 4 min")]
    [InlineData(59_999_999_999, "60.00 s")]
    public void Durations_are_said_in_the_unit_that_fits(long nanoseconds, string text) =>
        Assert.Equal(text, Words.Duration(nanoseconds));

    [Theory]
    [InlineData(1, 3, "33.3 %")]
    [InlineData(1, 100_000, "< 0.1 %")]
    [InlineData(0, 7, "0.0 %")]
    [InlineData(5, 0, "")]
    public void A_share_that_is_not_nothing_is_not_said_to_be(long part, long whole, string text) =>
        Assert.Equal(text, Words.Share(part, whole));

    [Theory]
    [InlineData(1, "1 block")]
    [InlineData(0, "0 blocks")]
    [InlineData(1234567, "1,234,567 blocks")]
    public void Counts_take_the_plural(long count, string text) => Assert.Equal(text, Words.Count(count, "block"));

    [Fact]
    public void Letters_of_all_scripts_are_printable_and_controls_are_not()
    {
        Assert.Equal("naïve 函数 😀", Words.Printable("naïve 函数 😀"));
        Assert.Equal("a\uFFFDb\uFFFDc\uFFFD", Words.Printable("a\eb\u202ec\u0085"));
    }
}
