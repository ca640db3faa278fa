using System.Diagnostics;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace NativeHeap.EndToEnd.Objects;

/// <summary>Snapshots that nobody asks for count objects, too (tests/targets/dotnet-objects).</summary>
public sealed class TimedSnapshotTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TempFolder _folder = new();

    private string TracePath => _folder["trace.nheap"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Growth_between_two_of_them_is_told_when_the_program_has_ended()
    {
        using var target = Start([], "dotnet", Built.DotNetTarget("dotnet-objects"), "500");
        ReadUntil(target, "ready");
        var before = WaitForCount();
        Grow(target);
        var after = WaitForCount();
        End(target);

        var answer = Program.Run(
            ["dotnet", Built.Command, "objects", $"{TracePath}@{after}", $"--growth={TracePath}@{before}", "--json"]).Expect(0);
        using var growth = JsonDocument.Parse(answer.Output);
        Assert.Equal((1500, 1000), CountOf(growth, "NativeHeap.Targets.Item"));
        Assert.Equal((110, 10), CountOf(growth, "NativeHeap.Targets.Buffer"));
        // Blocks are of the same moment, one by one and by stack.
        Assert.Equal(110, Number($"SELECT count(*) FROM block WHERE snapshot_id = {after} AND bytes IN (1001, 1006)"));
        Assert.Equal(
            Number($"SELECT sum(bytes) FROM snapshot_total WHERE snapshot_id = {after}"),
            Number($"SELECT sum(bytes) FROM block WHERE snapshot_id = {after}"));
        Assert.Equal(0, Number("SELECT count(*) FROM snapshot WHERE reason <> 'interval'"));
    }

    [Fact]
    public void Where_nobody_may_be_held_they_come_without_objects_and_the_trace_says_why()
    {
        using var target = Start([Built.Target("refuse_ptrace")], "sh", "-c", "echo ready; read line");
        ReadUntil(target, "ready");
        WaitFor(
            () => Number("SELECT count(*) FROM process WHERE note LIKE '%objects were not counted at snapshot %: %cannot be stopped%'"),
            count => count == 1);
        End(target);
        Assert.Equal(0, Number("SELECT count(*) FROM snapshot_type"));
        Assert.True(Number("SELECT count(*) FROM snapshot_total") > 0);
    }

    private Process Start(string[] wrapper, params string[] command)
    {
        string[] whole =
        [
            .. wrapper, Built.Supervisor, "dotnet", Built.Command, "run", "-o", TracePath, "--snapshot-interval", "50ms", "--", .. command,
        ];
        var target = Process.Start(new ProcessStartInfo(whole[0], whole[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        target.ErrorDataReceived += (_, _) => { };
        target.BeginErrorReadLine();
        return target;
    }

    private static void End(Process target)
    {
        target.StandardInput.Close();
        target.StandardOutput.ReadToEnd();
        Assert.True(target.WaitForExit(s_patience));
    }

    private static void Grow(Process target)
    {
        target.StandardInput.WriteLine();
        target.StandardInput.Flush();
        ReadUntil(target, "grown");
    }

    private static void ReadUntil(Process target, string word)
    {
        while (target.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split(' ')[0] == word)
            {
                return;
            }
        }

        Assert.Fail($"it ended without saying {word}");
    }

    // A later snapshot at which objects were counted: numbers rise with time.
    private long WaitForCount()
    {
        var last = Number("SELECT coalesce(max(id), 0) FROM snapshot");
        return WaitFor(
            () => Number($"SELECT coalesce(min(snapshot_id), 0) FROM snapshot_type WHERE snapshot_id > {last}"), number => number > 0);
    }

    private static long WaitFor(Func<long> number, Func<long, bool> isReached)
    {
        for (var clock = Stopwatch.StartNew(); ; Thread.Yield())
        {
            var now = number();
            if (isReached(now))
            {
                return now;
            }

            Assert.True(clock.Elapsed < s_patience, "it does not come");
        }
    }

    // 0: there are no tables yet, or it is just being closed.
    private long Number(string query)
    {
        try
        {
            return Database.Number(TracePath, query);
        }
        catch (SqliteException)
        {
            return 0;
        }
    }

    private static (long Count, long Delta) CountOf(JsonDocument counts, string type)
    {
        var row = counts.RootElement.GetProperty("types").EnumerateArray()
            .Single(row => row.GetProperty("type").GetString() == type);
        return (row.GetProperty("count").GetInt64(), row.GetProperty("delta_count").GetInt64());
    }
}
