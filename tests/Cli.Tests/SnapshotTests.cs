using System.Globalization;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Cli.Tests;

public sealed class SnapshotTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string TracePath => _folder["trace.nheap"];

    // Says its pid when it runs, and ends when it is told to.
    private string Waiting => $"echo $$ > {_folder["pid"]}.new; mv {_folder["pid"]}.new {_folder["pid"]}; "
        + $"while ! test -e {_folder["go"]}; do sleep 0.01; done";

    [Fact]
    public void A_snapshot_that_is_asked_for_can_be_read_at_once()
    {
        using var line = StartWaiting(out var pid);
        var asked = CommandLine.RunAlone("snapshot", "-p", pid, "--name", "before");
        Assert.Equal((0, "before\n"), (asked.Code, asked.Output));
        using (var trace = TraceReader.Open(TracePath))
        {
            var snapshot = Assert.Single(trace.Snapshots());
            Assert.Equal(("before", "asked"), (snapshot.Name, snapshot.Reason));
            Assert.NotEmpty(trace.SnapshotTotals(snapshot));
        }
        Assert.Equal("2\n", CommandLine.RunAlone("snapshot", "-p", pid).Output);
        End(line);
        using var closed = TraceReader.Open(TracePath);
        Assert.Equal(2, closed.Snapshots().Count);
    }

    [Theory]
    [InlineData("peak")]
    [InlineData("end")]
    [InlineData("17")]
    public void A_name_that_means_something_else_is_refused(string name)
    {
        using var line = StartWaiting(out var pid);
        Assert.Equal(2, CommandLine.RunAlone("snapshot", "-p", pid, "--name", name).Code);
        End(line);
    }

    [Fact]
    public void A_name_is_given_once()
    {
        using var line = StartWaiting(out var pid);
        Assert.Equal(0, CommandLine.RunAlone("snapshot", "-p", pid, "--name", "x").Code);
        Assert.Equal(2, CommandLine.RunAlone("snapshot", "-p", pid, "--name", "x").Code);
        End(line);
    }

    [Fact]
    public void A_process_that_is_not_recorded_is_refused()
    {
        var pid = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        var outcome = CommandLine.RunAlone("snapshot", "-p", pid);
        Assert.Equal(3, outcome.Code);
        Assert.Contains("is not being recorded", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(3, CommandLine.RunAlone("snapshot", "-p", "4194304").Code);
    }

    [Fact]
    public void Snapshots_are_taken_by_time()
    {
        // One process: with several, objects would be asked of which.
        var script = $"import os, time\nwhile not os.path.exists('{_folder["go"]}'): time.sleep(0.01)";
        using var line = CommandLine.Start(["run", "-o", TracePath, "--snapshot-interval", "50ms", "--snapshot-objects", "no", "--", "/usr/bin/python3", "-c", script]);
        CommandLine.Until(() => SnapshotCount() >= 3);
        End(line);
        using var trace = TraceReader.Open(TracePath);
        Assert.All(trace.Snapshots(), snapshot => Assert.Equal("interval", snapshot.Reason));

        var objects = CommandLine.RunAlone("objects", $"{TracePath}@2", $"--growth={TracePath}@1");
        Assert.Equal((4, ""), (objects.Code, objects.Output));
        Assert.Contains("were not counted (they are counted at snapshots that are asked for", Assert.Single(objects.Error.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void Snapshots_are_taken_by_growth()
    {
        // 12 MB that stay, then a wait until the snapshot of them is in the trace, four times.
        var script = "import os, time\nkept = []\nfor i in range(4):\n kept.append(bytearray(12000000))\n"
            + $" while not os.path.exists('{_folder["go"]}' + str(i)): time.sleep(0.005)";
        using var line = CommandLine.Start(
            ["run", "-o", TracePath, "--snapshot-growth", "10MB", "--", "/usr/bin/python3", "-c", script]);
        for (var i = 0; i < 4; i++)
        {
            CommandLine.Until(() => SnapshotCount() == i + 1);
            File.WriteAllText(_folder[$"go{i}"], "");
        }
        Assert.Equal(0, line.Finish().Code);
        using var trace = TraceReader.Open(TracePath);
        var snapshots = trace.Snapshots();
        Assert.Equal(4, snapshots.Count);
        Assert.All(snapshots, snapshot => Assert.Equal("growth", snapshot.Reason));
        var live = snapshots.Select(snapshot => trace.SnapshotTotals(snapshot).Sum(row => row.Bytes)).ToList();
        Assert.All(live.Zip(live.Skip(1)), pair => Assert.True(pair.Second - pair.First >= 10_000_000));
    }

    public void Dispose() => _folder.Dispose();

    private CommandLine StartWaiting(out string pid)
    {
        var line = CommandLine.Start(["run", "-o", TracePath, "--", "sh", "-c", Waiting]);
        CommandLine.Until(() => File.Exists(_folder["pid"]));
        pid = File.ReadAllText(_folder["pid"]).Trim();
        return line;
    }

    private void End(CommandLine line)
    {
        File.WriteAllText(_folder["go"], "");
        Assert.Equal(0, line.Finish().Code);
    }

    private int SnapshotCount()
    {
        try
        {
            using var trace = TraceReader.Open(TracePath);
            return trace.Snapshots().Count;
        }
        catch (TraceException)
        {
            return 0; // it does not hold anything yet
        }
    }
}
