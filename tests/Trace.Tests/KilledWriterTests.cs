using System.Diagnostics;
using System.Globalization;
using NativeHeap.Testing;

namespace NativeHeap.Trace.Tests;

public sealed class KilledWriterTests : IDisposable
{
    private const string VictimVariable = "NATIVEHEAP_TEST_VICTIM";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_writer_that_is_killed_leaves_every_commit_and_nothing_half()
    {
        var random = new Random();
        for (var round = 0; round < 4; round++)
        {
            var path = _folder[$"{round}.nheap"];
            using var victim = StartVictim(path);
            try
            {
                var least = random.Next(1, 40);
                while (Committed(path) < least)
                {
                    Assert.False(victim.HasExited);
                    Thread.Yield();
                }
            }
            finally
            {
                victim.Kill(); // SIGKILL
                victim.WaitForExit();
            }

            var committed = Committed(path);
            using var trace = TraceReader.Open(path);
            var n = trace.Processes[0].Totals.Allocations;
            Assert.InRange(n, committed, committed + 1); // it may have died between the commit and the note of it
            Assert.Equal(n, trace.StackTotals().Single().Allocations);
            Assert.Equal(n * 100, trace.Cohorts().Count());
            Assert.False(trace.Info.Closed);
            Assert.False(trace.Info.Complete);
        }
    }

    /// <summary>Is run in a process of its own by the test above: writes until it is killed.</summary>
    [Fact(Explicit = true)]
    public void Victim()
    {
        var path = Environment.GetEnvironmentVariable(VictimVariable);
        Assert.SkipWhen(path is null, "runs as a part of another test");
        using var writer = TraceWriter.Create(path);
        for (var n = 1; n < 100_000; n++)
        {
            WriterTests.WriteProcess(writer, n, rows: 100);
            File.WriteAllText(path + ".next", n.ToString(CultureInfo.InvariantCulture));
            File.Move(path + ".next", path + ".committed", overwrite: true);
        }
    }

    private static int Committed(string path) =>
        File.Exists(path + ".committed")
            ? int.Parse(File.ReadAllText(path + ".committed"), CultureInfo.InvariantCulture)
            : 0;

    private static Process StartVictim(string path)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "NativeHeap.Trace.Tests");
        var start = new ProcessStartInfo(program, ["-method", $"*.{nameof(Victim)}", "-explicit", "only"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment[VictimVariable] = path;
        return Process.Start(start)!;
    }
}
