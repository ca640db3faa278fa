using NativeHeap.Model;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Cli.Tests;

public sealed class RunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string TracePath => _folder["trace.nheap"];

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 42", 42)]
    [InlineData("kill -KILL $$", 137)]
    [InlineData("kill -SEGV $$", 139)]
    public void The_exit_code_is_the_commands(string script, int code)
    {
        Assert.Equal(code, Record("sh", "-c", script).Code);
        using var trace = TraceReader.Open(TracePath);
        var first = trace.Processes[0];
        Assert.Equal(code < 128 ? ProcessEnding.Exit : ProcessEnding.Signal, first.Ending);
        Assert.Equal(code < 128 ? code : null, first.ExitCode);
        Assert.Equal(code < 128 ? null : code - 128, first.Signal);
    }

    [Fact]
    public void What_the_command_prints_is_all_there_is_on_stdout()
    {
        var outcome = Record("sh", "-c", "echo out; echo err >&2");
        Assert.Equal("out\n", outcome.Output);
        var lines = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("err", Assert.Single(lines, line => !line.StartsWith("nativeheap: ", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_summary_names_totals_peak_and_largest_live_stacks()
    {
        var outcome = Record(CommandLine.Target("operators"));
        Assert.Contains(" allocations, ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("nativeheap: peak ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("nativeheap: 1. ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("main", outcome.Error, StringComparison.Ordinal);
        Assert.Contains($"nativeheap report {TracePath}", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_default_name_has_the_command_and_the_pid_the_shell_knows()
    {
        using var line = CommandLine.Start(["run", "--", "sh", "-c", ":"], start => start.WorkingDirectory = _folder.Path);
        Assert.Equal(0, line.Finish().Code);
        Assert.True(File.Exists(_folder[$"nativeheap.sh.{line.Pid}.nheap"]));
    }

    [Fact]
    public void A_command_that_never_allocates_has_a_trace_all_the_same()
    {
        Assert.Equal(7, Record(CommandLine.Target("silent"), "7").Code);
        using var trace = TraceReader.Open(TracePath);
        var process = Assert.Single(trace.Processes);
        Assert.Equal((0L, 7), (process.Totals.Allocations, process.ExitCode));
    }

    [Fact]
    public void A_command_that_executes_another_is_the_first_process_of_the_trace()
    {
        Assert.Equal(3, Record("sh", "-c", $"exec {CommandLine.Target("silent")} 3").Code);
        using var trace = TraceReader.Open(TracePath);
        Assert.Equal(ProcessOrigin.Run, trace.Processes[0].Origin);
        Assert.All(trace.Processes, process => Assert.Equal(trace.Processes[0].Pid, process.Pid));
    }

    [Fact]
    public void Children_are_recorded_unless_told_otherwise()
    {
        Record("sh", "-c", "ls / >/dev/null; exit 0");
        using (var trace = TraceReader.Open(TracePath))
        {
            Assert.Contains(trace.Processes, process => process.Executable?.EndsWith("/ls", StringComparison.Ordinal) == true);
        }
        CommandLine.Run("run", "--force", "-o", TracePath, "--follow-children", "no", "--", "sh", "-c", "ls / >/dev/null; exit 0");
        using (var trace = TraceReader.Open(TracePath))
        {
            Assert.DoesNotContain(trace.Processes, process => process.Executable?.EndsWith("/ls", StringComparison.Ordinal) == true);
        }
    }

    [Fact]
    public void With_wait_children_the_recording_ends_with_the_last_of_them()
    {
        // The child goes on after its parent until the trace shows the parent's end; only then it allocates.
        var script = $"(while ! test -e {_folder["go"]}; do sleep 0.01; done; exec {CommandLine.Target("entry_points")}) & exit 0";
        using var line = CommandLine.Start(["run", "-o", TracePath, "--wait-children", "--", "sh", "-c", script]);
        CommandLine.Until(() => HasEnded(TracePath, 0));
        File.WriteAllText(_folder["go"], "");
        Assert.Equal(0, line.Finish().Code);
        using var trace = TraceReader.Open(TracePath);
        var last = Assert.Single(
            trace.Processes, process => process.Executable?.EndsWith("entry_points", StringComparison.Ordinal) == true);
        Assert.NotNull(last.EndNs);
        Assert.True(last.Totals.Allocations > 200);
        Assert.True(trace.Info.Complete);
    }

    [Fact]
    public void A_process_that_is_heard_of_after_its_parents_end_is_recorded()
    {
        using var line = CommandLine.Start(["run", "-o", TracePath, "--", CommandLine.Target("orphan"), _folder["go"]]);
        CommandLine.Until(() => HasEnded(TracePath, 1));
        File.WriteAllText(_folder["go"], "");
        Assert.Equal(0, line.Finish().Code);
        using var trace = TraceReader.Open(TracePath);
        Assert.True(trace.Info is { Closed: true, Complete: true });
        Assert.Equal([1L, 5L, 3L], trace.Processes.Select(process => process.Totals.Allocations));
        Assert.Equal(trace.Processes[1].Pid, trace.Processes[2].ParentPid);
    }

    [Fact]
    public void A_child_that_lives_on_is_told_to_stop_and_the_trace_says_so()
    {
        // It keeps neither of the pipes, or whoever reads them would wait for it and not for the command.
        var script = $"(while test -d {_folder.Path} && ! test -e {_folder["go"]}; do sleep 0.01; done) >/dev/null 2>&1 & exit 0";
        var outcome = Record("sh", "-c", script);
        File.WriteAllText(_folder["go"], "");
        Assert.Equal(0, outcome.Code);
        using var trace = TraceReader.Open(TracePath);
        Assert.True(trace.Info is { Closed: true, Complete: false });
        Assert.Contains(trace.Processes, process => process.Note?.Contains("still running", StringComparison.Ordinal) == true);
    }

    [Fact]
    public void Low_limits_of_the_command_leave_it_as_it_is()
    {
        var script = "ulimit -v 2000000; ulimit -n 128; exec ";
        var plain = CommandLine.RunPlain("sh", "-c", script + CommandLine.Target("entry_points"));
        using var line = CommandLine.Start(["run", "-o", TracePath, "--", CommandLine.Target("entry_points")], start =>
        {
            start.ArgumentList.Insert(0, start.FileName);
            start.ArgumentList.Insert(0, "sh");
            start.ArgumentList.Insert(0, script + "\"$@\"");
            start.ArgumentList.Insert(0, "-c");
            start.FileName = "sh";
        });
        var outcome = line.Finish();
        Assert.Equal((plain.Code, plain.Output), (outcome.Code, outcome.Output));
        using var trace = TraceReader.Open(TracePath);
        Assert.True(trace.Info.Complete);
        Assert.True(trace.Processes[0].Totals.Allocations > 200);
    }

    public void Dispose() => _folder.Dispose();

    private static bool HasEnded(string path, int index)
    {
        try
        {
            using var trace = TraceReader.Open(path);
            return trace.Processes.Count > index && trace.Processes[index].EndNs is not null;
        }
        catch (TraceException)
        {
            return false; // it does not hold a process yet
        }
    }

    private Outcome Record(params string[] command) => CommandLine.Run(["run", "-o", TracePath, "--", .. command]);
}
