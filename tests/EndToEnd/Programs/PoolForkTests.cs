using System.Text.Json;

namespace NativeHeap.EndToEnd.Programs;

/// <summary>
/// Blocks of a program's own pool in all recordings there are: of every call and of samples, by a collector and in a raw file,
/// in a process and in its forked child (tests/targets/pool_fork.c). Bounds of estimates are those of <see cref="SamplingTests"/>.
/// </summary>
public sealed class PoolForkTests : IDisposable
{
    private const int Count = 100_000;
    private const int Bytes = 40;
    private const double Sigmas = 6;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, 0)]
    [InlineData(false, 1024)]
    [InlineData(true, 0)]
    [InlineData(true, 1024)]
    public void Blocks_are_those_of_the_process_that_took_them_in_every_kind_of_recording(bool isRaw, int mean)
    {
        var trace = isRaw ? Write(mean) : Run(mean);
        var live = Stacks(trace, "live");
        var ever = Stacks(trace, "count");

        Near(Count, mean, ever.Where(IsParents).Sum(stack => stack.Blocks));
        Near(Count / 2, mean, live.Where(IsParents).Sum(stack => stack.Blocks));
        Near(Count / 4, mean, ever.Where(IsChilds).Sum(stack => stack.Blocks));
        Near(Count / 8, mean, live.Where(IsChilds).Sum(stack => stack.Blocks));
        Assert.All(ever, stack => Assert.InRange(stack.Bytes, 0.99 * stack.Blocks * Bytes, 1.01 * stack.Blocks * Bytes)); // rounded apart
        Assert.All(ever, stack => Assert.True(IsParents(stack) || IsChilds(stack), stack.ToString()));
        Near(Count / 4, mean, (long)Database.Read(trace, "SELECT inherited_frees FROM process ORDER BY id DESC")[0][0]!);
        Assert.Equal(0L, Database.Read(trace, "SELECT sum(foreign_frees + missed_calls) FROM process")[0][0]);
        var report = Listening.Read(trace);
        Assert.True(report is { Complete: true, LostEvents: 0 });
        Assert.Equal(mean == 0, report.Exact);
    }

    private static bool IsChilds(ReportedStack stack) => stack.Goes("take_in_child");

    private static bool IsParents(ReportedStack stack) => stack.Goes("take") && !IsChilds(stack);

    private static void Near(long truth, int mean, long counted)
    {
        if (mean == 0)
        {
            Assert.Equal(truth, counted);
            return;
        }
        var p = 1 - Math.Exp(-(Bytes + 1.0) / mean);
        var bound = Sigmas * Math.Sqrt((truth * (1 - p) / p) + SamplingTests.Rounding(truth, p, bytes: false));
        Assert.InRange(counted, truth - bound, truth + bound);
    }

    private static List<ReportedStack> Stacks(string trace, string measure)
    {
        string[] command = ["dotnet", Built.Command, "report", trace, "--by", measure, "--json", "--top", "1000000"];
        using var json = JsonDocument.Parse(Harness.Program.Run(command).Expect(0).Output);
        return [.. Report.Parse(json.RootElement).Stacks.Where(stack => stack.Entry == "pool")];
    }

    private string Run(int mean)
    {
        string[] sampled = mean == 0 ? [] : ["--sample", $"{mean}"];
        using var recording = Recording.Run(_folder, [Built.Target("pool_fork"), $"{Count}"], null, sampled);
        recording.Outcome.Expect(0);
        return recording.TracePath;
    }

    private string Write(int mean)
    {
        var around = new Surroundings
        {
            Environment = new Dictionary<string, string?>
            {
                ["LD_PRELOAD"] = Built.Shim,
                ["NATIVEHEAP_OUT"] = _folder["out.raw"],
                ["NATIVEHEAP_SAMPLE"] = mean == 0 ? null : $"{mean}",
            },
        };
        Assert.Equal("", Harness.Program.Run([Built.Target("pool_fork"), $"{Count}"], around).Expect(0).Errors);
        Harness.Program.Run(["dotnet", Built.Command, "convert", _folder["out.raw"], "-o", _folder["raw.nheap"]]).Expect(0);
        return _folder["raw.nheap"];
    }
}
