using NativeHeap.Model;

namespace NativeHeap.Present.Tests;

public sealed class TopListScreenTests
{
    private static readonly TopListRow[] s_before = [Row(10, 1 << 20, 9 << 20, 50), Row(20, 3 << 20, 3 << 20, 7)];
    private static readonly TopListRow[] s_now = [Row(10, 2 << 20, 9 << 20, 60), Row(20, 3 << 20, 3 << 20, 900), Row(30, 8, 8, 8)];

    [Theory]
    [InlineData(TopOrder.Live, "20 10 30")]
    [InlineData(TopOrder.Grown, "10 20 30")]
    [InlineData(TopOrder.Allocated, "20 10 30")]
    [InlineData(TopOrder.Peak, "10 20 30")]
    public void Rows_stand_in_the_order_that_was_asked_for(TopOrder order, string pids)
    {
        var lines = TopListScreen.Draw(s_now, s_before, 2, order, 80, 10);

        Assert.Equal(pids, string.Join(' ', lines.Skip(1).Take(3).Select(line => line.Trim().Split(' ')[0])));
    }

    [Fact]
    public void Growth_is_by_the_second_and_of_those_that_were_there_before()
    {
        var lines = TopListScreen.Draw(s_now, s_before, 2, TopOrder.Grown, int.MaxValue, int.MaxValue);

        Assert.Equal(4, lines.Count);
        Assert.Contains(" +512.0 KiB ", lines[1], StringComparison.Ordinal);
        Assert.Contains(" +0 B ", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void It_fits_the_terminal_and_says_what_does_not()
    {
        var rows = Enumerable.Range(1, 40).Select(pid => Row(pid, pid, pid, pid)).ToList();
        var lines = TopListScreen.Draw(rows, [], 1, TopOrder.Live, 80, 24);

        Assert.Equal(24, lines.Count);
        Assert.All(lines, line => Assert.InRange(line.Length, 0, 80));
        Assert.StartsWith("18 more do not fit", lines[^1], StringComparison.Ordinal);
    }

    private static TopListRow Row(int pid, long live, long peak, long allocated) => new(
        pid, "program", new Totals { LiveBytes = live, AllocatedBytes = allocated, Peak = new Peak { Bytes = peak } }, "/a/long/path/of/a/trace/that/does/not/fit.nheap");
}
