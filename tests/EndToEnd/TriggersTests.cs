using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd;

/// <summary>Snapshots that nobody asks for.</summary>
public sealed class TriggersTests : IDisposable
{
    private const long MiB = 1 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Snapshots_come_at_a_signal_at_new_peaks_and_when_much_is_resident()
    {
        using var collector = Listening.Start(
            _folder, null, "--snapshot-signal", "USR2", "--snapshot-peak", "50%", "--snapshot-rss", "64MiB");
        var done = _folder["done"];
        using var program = Program.Start([Built.Target("triggers"), done], collector.Around with { KeepInput = true });
        Step(program, done, "b", "b");
        Await(collector, program.Pid, "peak 2097152");
        Step(program, done, "u", "u");
        Await(collector, program.Pid, "peak 2097152|signal 2097152");
        Step(program, done, "b", "b");
        Await(collector, program.Pid, "peak 2097152|signal 2097152|peak 4194304");
        // What it sees is a signal that nobody has touched; its own handler is called, and after that ours again.
        Step(program, done, "q", "d");
        Step(program, done, "ouq", "ooo");
        Step(program, done, "dqu", "ddu");
        Await(collector, program.Pid, "peak 2097152|signal 2097152|peak 4194304|signal 4194304");
        Step(program, done, "oB", "oB");
        var after = string.Create(CultureInfo.InvariantCulture, $" {4194304 + (64 * MiB)}");
        Await(collector, program.Pid, "peak 2097152|signal 2097152|peak 4194304|signal 4194304", ["peak" + after, "rss" + after]);
        program.EndInput();
        program.Wait().Expect(0);
        string[] query = ["dotnet", Built.Command, "sql", collector.TraceOf(program.Pid), "--csv", "SELECT note FROM process"];
        Assert.Contains("found a use of its own for the snapshot signal", Program.Run(query).Expect(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_signal_that_the_program_was_started_without_is_left_alone_and_said_so()
    {
        using var collector = Listening.Start(_folder, null, "--snapshot-signal", "USR2");
        string[] command = ["sh", "-c", $"trap '' USR2; exec {Built.Target("triggers")} {_folder["done"]}"];
        using var program = Program.Start(command, collector.Around with { KeepInput = true });
        Step(program, _folder["done"], "qu", "xu"); // ignored, and it is
        program.EndInput();
        program.Wait().Expect(0);
        string[] query =
        [
            "dotnet", Built.Command, "sql", collector.TraceOf(program.Pid), "--csv",
            "SELECT note, (SELECT count(*) FROM snapshot) FROM process ORDER BY id DESC LIMIT 1",
        ];
        Assert.Matches("has a use of its own for the snapshot signal.*\",0", Program.Run(query).Expect(0).Output);
    }

    // Steps, and the answers of the program.
    private static void Step(Program program, string done, string steps, string answers)
    {
        foreach (var (step, answer) in steps.Zip(answers))
        {
            program.Step(step, done);
            Assert.Equal(answer, File.ReadAllText(done)[^1]);
        }
    }

    private static void Await(Listening collector, int pid, string expected, params string[] inAnyOrder)
    {
        var seen = "";
        for (var clock = Stopwatch.StartNew(); ; Thread.Yield())
        {
            seen = collector.Snapshots(pid);
            var rest = seen.StartsWith(expected, StringComparison.Ordinal) ? seen[expected.Length..].Split('|', StringSplitOptions.RemoveEmptyEntries) : null;
            if (rest is not null && rest.Order().SequenceEqual(inAnyOrder))
            {
                return;
            }
            Assert.True(clock.Elapsed < s_patience, $"{seen} instead of {expected} {string.Join(' ', inAnyOrder)}");
        }
    }
}
