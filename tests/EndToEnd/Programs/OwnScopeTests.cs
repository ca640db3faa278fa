namespace NativeHeap.EndToEnd.Programs;

/// <summary>Libraries that do not look their names up where all others do.</summary>
public sealed class OwnScopeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("deepbind")]
    [InlineData("namespace")]
    public void What_finds_libc_first_is_counted_and_another_libc_does_no_harm(string mode)
    {
        using var run = Recording.Run(_folder, [Built.Target("own_scope"), mode]);
        using var idle = Recording.Run(_folder, [Built.Target("own_scope"), "nothing", mode]);
        var own = Account.ParseTarget(run.Outcome.Expect(0).Output);
        idle.Outcome.Expect(0);
        Assert.True(run.Report is { Exact: true, Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + idle.Report.Totals.Sums, run.Report.Totals.Sums);

        // Blocks of the library's constructor are its own libc's there.
        Assert.Equal(mode == "deepbind", idle.Report.Totals.Sums.AllocatedBytes > 70_000);
    }
}
