namespace NativeHeap.EndToEnd;

/// <summary>Where nothing can be written but one folder: no /tmp, no /dev/shm, the root read-only.</summary>
public sealed class PlacesTests : IDisposable
{
    private const string Writable = "/mnt"; // the test's folder, there

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_program_is_recorded_where_one_folder_alone_can_be_written()
    {
        var command = new[] { Built.Target("exchange"), "20000" };
        var own = Account.ParseTarget(Run("a", Writable, command).Expect(0).Output);
        Run("b", Writable, [command[0], "nothing"]).Expect(0);
        var report = Listening.Read(_folder["a.nheap"]);
        Assert.True(report is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + Listening.Read(_folder["b.nheap"]).Totals.Sums, report.Totals.Sums);
    }

    [Fact]
    public void Where_there_is_no_place_for_the_socket_nothing_is_started_and_a_line_says_so()
    {
        var outcome = Run("a", "/nowhere", ["touch", Writable + "/started"]);
        Assert.NotEqual(0, outcome.ExitCode);
        Assert.Contains("cannot make a folder for the socket", Assert.Single(outcome.Said), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["started"]) || File.Exists(_folder["a.nheap"]));
    }

    [Fact]
    public void A_trace_that_cannot_be_written_is_refused_before_anything_is_started()
    {
        var outcome = Run("../tmp/a", Writable, ["touch", Writable + "/started"]).Expect(2);
        Assert.StartsWith("error: ", Assert.Single(outcome.Said), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["started"]));
    }

    private Outcome Run(string trace, string runtimeFolder, IReadOnlyList<string> command)
    {
        var around = Surroundings.After(
            $"mount --bind {_folder.Path} {Writable} && mount -o remount,bind,ro / && mount -t tmpfs -o ro none /tmp"
            + $" && mount -t tmpfs -o ro none /dev/shm && export XDG_RUNTIME_DIR={runtimeFolder} && unset TMPDIR || exit 77");
        var inside = around with { Wrapper = ["unshare", "--mount", .. around.Wrapper] };
        Assert.SkipUnless(Program.Run(["true"], inside).ExitCode == 0, "no right to mount file systems");
        string[] all = [Built.Supervisor, "dotnet", Built.Command, "run", "-o", $"{Writable}/{trace}.nheap", "--", .. command];
        return Program.Run(all, inside);
    }
}
