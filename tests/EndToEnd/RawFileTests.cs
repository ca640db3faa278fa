using System.Globalization;

namespace NativeHeap.EndToEnd;

/// <summary><c>NATIVEHEAP_OUT</c> and <c>convert</c>: recorded without a collector.</summary>
public sealed class RawFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("entry_points")]
    [InlineData("line_by_line", "3")]
    public void It_has_the_totals_and_stacks_of_a_recorded_run(string target, params string[] arguments)
    {
        string[] command = [Built.Target(target), .. arguments];
        var recorded = Recording.Run(_folder, command).Report;
        var own = Program.Run(command, Around()).Expect(0);
        Assert.Equal("", own.Errors);
        var raw = Convert(_folder["out.raw"]);

        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(recorded.Totals.Sums, raw.Totals.Sums);
        Assert.Equal(Stacks(recorded), Stacks(raw));
    }

    [Fact]
    public void A_program_that_forbids_itself_everything_is_counted_to_its_end()
    {
        var own = Account.ParseTarget(Program.Run([Built.Target("seccomp_kill")], Around()).Expect(0).Output);
        Program.Run([Built.Target("seccomp_kill"), "nothing"], Around("idle.raw")).Expect(0);
        var raw = Convert(_folder["out.raw"]);
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + Convert(_folder["idle.raw"]).Totals.Sums, raw.First.Totals.Sums);
    }

    [Fact]
    public void Threads_that_pass_blocks_to_each_other_are_counted_to_the_last_one()
    {
        var own = Account.ParseTarget(Program.Run([Built.Target("exchange"), "100000"], Around()).Expect(0).Output);
        var idle = Program.Run([Built.Target("exchange"), "nothing"], Around("idle.raw")).Expect(0);
        var raw = Convert(_folder["out.raw"]);
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + Convert(_folder["idle.raw"]).Totals.Sums, raw.Totals.Sums);
    }

    [Fact]
    public void Forked_children_write_to_the_file_of_their_parent()
    {
        var own = Account.ParseTarget(Program.Run([Built.Target("forks"), "80"], Around()).Expect(0).Output);
        Program.Run([Built.Target("forks"), "nothing"], Around("idle.raw")).Expect(0);
        var raw = Convert(_folder["out.raw"]);
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + Convert(_folder["idle.raw"]).Totals.Sums, raw.First.Totals.Sums);
        Assert.Equal(80, raw.Processes.Count(process => process.ParentPid == raw.First.Pid));
        Assert.All(raw.Processes.Skip(1), child => Assert.Equal(new Sums(10, 5, 1000, 5, 500), child.Totals.Sums));
    }

    [Fact]
    public void What_a_killed_program_did_is_whole()
    {
        var steady = new SteadyTarget(_folder);
        using var program = Program.Start(steady.Command, Around());
        steady.WaitForOperations(100_000, over: () => program.HasEnded);
        var running = Program.Run(ConvertCommand("running", _folder["out.raw"])).Expect(0);
        Assert.Contains("is still being written", running.Errors, StringComparison.Ordinal);
        Assert.False(Listening.Read(_folder["running.nheap"]).Complete);
        Signals.Send(program.Pid, Signals.Kill);
        program.Wait().Expect(128 + Signals.Kill);

        var raw = Convert(_folder["out.raw"]);
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.InRange(raw.Totals.Sums.Allocations, steady.Counted.Allocations, steady.Counted.Allocations + 1);
    }

    [Fact]
    public void Programs_that_are_started_write_files_beside_it_which_make_one_trace()
    {
        string[] command = ["sh", "-c", $"{Built.Target("line_by_line")} 3; exec {Built.Target("line_by_line")} 3"];
        Program.Run(command, Around()).Expect(0);
        var files = Directory.GetFiles(_folder.Path, "out.raw*");
        Assert.Equal(3, files.Length);
        var raw = Convert(files);
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(2, raw.Processes.Select(process => process.Pid).Distinct().Count());
    }

    [Fact]
    public void A_file_that_is_full_ends_the_recording_and_not_the_program()
    {
        var around = Around(limit: "64MiB");
        var own = Account.ParseTarget(Program.Run([Built.Target("exchange"), "300000"], around).Expect(0).Output);
        var raw = Convert(_folder["out.raw"]);
        Assert.False(raw.Complete);
        Assert.InRange(raw.Totals.Sums.Allocations, 1, own.Sums.Allocations - 1);
        Assert.InRange(new FileInfo(_folder["out.raw"]).Length, 1, 64 << 20);
    }

    [Fact]
    public void A_disk_that_is_full_ends_the_recording_and_not_the_program()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root may mount");
        var script = string.Create(
            CultureInfo.InvariantCulture,
            $"mount -t tmpfs -o size=2m none \"$0\" && NATIVEHEAP_OUT=\"$0/out.raw\" NATIVEHEAP_OUT_LIMIT=1GiB LD_PRELOAD={Built.Shim} {Built.Target("exchange")} 200000 && cp --sparse=always \"$0/out.raw\" \"$1\"");
        string[] command = ["unshare", "--mount", "sh", "-c", script, _folder.Path, "/dev/shm/" + Path.GetFileName(_folder.Path)];
        try
        {
            var own = Account.ParseTarget(Program.Run(command).Expect(0).Output);
            var raw = Convert(command[^1]);
            Assert.False(raw.Complete);
            Assert.InRange(raw.Totals.Sums.Allocations, 1, own.Sums.Allocations - 1);
        }
        finally
        {
            File.Delete(command[^1]);
        }
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_said_once_and_the_program_runs()
    {
        var around = Around("nowhere/out.raw");
        var outcome = Program.Run([Built.Target("line_by_line"), "3"], around).Expect(0);
        Assert.Contains("NATIVEHEAP_OUT cannot be written: there is no such folder", Assert.Single(outcome.Said), StringComparison.Ordinal);

        File.WriteAllText(_folder["taken.raw"], "mine");
        File.CreateSymbolicLink(_folder["link.raw"], _folder["elsewhere"]);
        Program.Run([Built.Target("line_by_line"), "3"], Around("taken.raw")).Expect(0);
        Program.Run([Built.Target("line_by_line"), "3"], Around("link.raw")).Expect(0);
        Assert.Equal("mine", File.ReadAllText(_folder["taken.raw"]));
        Assert.False(File.Exists(_folder["elsewhere"]));
        Assert.Equal(2, Directory.GetFiles(_folder.Path).Count(file => file.Contains(".raw.", StringComparison.Ordinal)));
    }

    private static List<string> Stacks(Report report) =>
        [.. report.Stacks.Select(stack => $"{stack.Bytes} {stack.Blocks} {stack.Entry} {string.Join(" < ", stack.Frames.Select(frame => frame.Function))}").Order()];

    private Surroundings Around(string name = "out.raw", string limit = "1GiB") => new()
    {
        Environment = new Dictionary<string, string?>
        {
            ["LD_PRELOAD"] = Built.Shim,
            ["NATIVEHEAP_OUT"] = _folder[name],
            ["NATIVEHEAP_OUT_LIMIT"] = limit,
        },
    };

    private string[] ConvertCommand(string name, params string[] files) =>
        ["dotnet", Built.Command, "convert", .. files, "-o", _folder[name + ".nheap"]];

    private Report Convert(params string[] files)
    {
        var name = $"{Guid.NewGuid():N}";
        Program.Run(ConvertCommand(name, files)).Expect(0);
        return Listening.Read(_folder[name + ".nheap"]);
    }
}
