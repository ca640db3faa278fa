namespace NativeHeap.EndToEnd.Programs;

/// <summary>Libraries that do not look their names up where all others do.</summary>
public sealed class OwnScopeTests : IDisposable
{
    private const string NotSeen = "what libraries there allocate with their own libc is not seen";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("deepbind")]
    [InlineData("namespace")]
    public void What_finds_libc_first_is_counted_and_another_libc_does_no_harm_and_is_said_to_be_there(string mode)
    {
        using var run = Recording.Run(_folder, [Built.Target("own_scope"), mode]);
        using var idle = Recording.Run(_folder, [Built.Target("own_scope"), "nothing", mode]);
        var own = Account.ParseTarget(run.Outcome.Expect(0).Output);
        idle.Outcome.Expect(0);
        Assert.True(run.Report is { Exact: true, Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + idle.Report.Totals.Sums, run.Report.Totals.Sums);

        // Blocks of the library's constructor are its own libc's there.
        Assert.Equal(mode == "deepbind", idle.Report.Totals.Sums.AllocatedBytes > 70_000);
        Assert.Equal(mode == "namespace", Says(run.Report));
        var text = Program.Run(["dotnet", Built.Command, "report", run.TracePath]).Expect(0).Output;
        Assert.Equal(mode == "namespace", text.ReplaceLineEndings(" ").Contains("dlmopen", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("namespace", "after", true)] // it is there when the recording begins
    [InlineData("namespace", "before", true)]
    [InlineData("deepbind", "after", false)]
    [InlineData("deepbind", "before", false)]
    public void A_program_that_is_attached_to_is_said_to_have_another_libc(string mode, string loads, bool isSaid)
    {
        using var program = new RunningProgram(Built.Target("own_scope"), mode, loads);
        using var attachment = Attachment.Start(_folder, program.Pid);
        var own = Account.ParseTarget(program.EndAndRead());
        attachment.Wait().Expect(0);
        var report = attachment.Report();
        Assert.InRange(report.Totals.Sums.Allocations, own.Sums.Allocations, own.Sums.Allocations + 100); // and its loader's
        Assert.Equal(isSaid, Says(report));
    }

    [Fact]
    public void A_library_that_others_have_the_loader_call_is_left_alone_and_said_to_be_there()
    {
        string[] command = [Built.Target("exchange"), "1000"];
        string[] idle = [Built.Target("exchange"), "nothing"];
        using var plain = Recording.Run(_folder, idle);
        using var audited = Recording.Run(_folder, command, Audited);
        using var none = Recording.Run(_folder, idle, Audited);
        var own = Account.ParseTarget(audited.Outcome.Expect(0).Output);
        Assert.Equal("", audited.Outcome.OwnErrors);
        none.Outcome.Expect(0);
        Assert.True(audited.Report is { Exact: true, Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + none.Report.Totals.Sums, audited.Report.Totals.Sums);
        Assert.True(Says(audited.Report));
        Assert.False(Says(plain.Report));
    }

    private static Surroundings Audited => Surroundings.After($"export LD_AUDIT={Built.Library("audit_library")}");

    private static bool Says(Report report) => report.First.Note?.Contains(NotSeen, StringComparison.Ordinal) == true;
}
