namespace NativeHeap.EndToEnd;

/// <summary>
/// <c>sample</c>: births that are recorded all, then as samples, then all again. Each block counts as it was recorded, whenever
/// it dies. Estimates are held to bounds as in <see cref="SamplingTests"/>, everything else is exact.
/// </summary>
public sealed class SwitchedSamplingTests : IDisposable
{
    private const double Mean = 1024;
    private const double Sigmas = 6;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Blocks_that_were_recorded_exactly_are_followed_to_their_end_while_births_are_sampled()
    {
        using var run = Begin();
        run.Step('a');
        run.Sample("1KiB");
        run.Step('b'); // all frees are told
        SampledTarget.AwaitKeptBlocks(run.Pid);
        run.Step('c'); // those of a are told
        run.Step('g');
        var trace = run.End();

        var ever = trace.By("count", "step_a");
        Assert.Equal((1000, 1_000_000), (ever.Blocks, ever.Bytes));
        var live = trace.By("live", "step_a");
        Assert.Equal((300, 300_000), (live.Blocks, live.Bytes));
        Near(trace.By("count", "step_c"), (2000, 100));
        Near(trace.By("count", "step_g"), (1000, 100_000));
        Assert.Equal(0, trace.By("live", "step_g").Blocks);
        Assert.Equal((0L, 0L), (trace.Number("foreign_frees"), trace.Number("missed_calls")));
        Assert.True(trace.Report is { Exact: false, Complete: true, LostEvents: 0 });
    }

    [Fact]
    public void Samples_count_for_their_like_and_blocks_from_before_and_after_for_themselves()
    {
        using var run = Begin();
        run.Step('a');
        run.Sample("1KiB");
        run.Step('d');
        run.Step('e');
        run.Sample("exact");
        run.Step('h');
        run.Step('c');
        var trace = run.End();

        Assert.Equal((1000, 600), (trace.By("count", "step_a").Blocks, trace.By("live", "step_a").Blocks));
        Near(trace.By("count", "step_d"), (100, 20_000), (5000, 400));
        Near(trace.By("live", "step_d"), (100, 10_000), (5000, 200));
        Assert.Equal((500, 1_500_000), (trace.By("live", "step_h").Blocks, trace.By("count", "step_h").Bytes));
        Assert.Equal((100, 200_000), (trace.By("live", "step_c").Blocks, trace.By("live", "step_c").Bytes));
        Assert.Equal(0, trace.Number("foreign_frees"));
        Assert.True(trace.Report is { Complete: true, LostEvents: 0 });
    }

    [Fact]
    public void Frees_of_blocks_that_were_let_pass_are_counted_apart_when_all_are_told_again()
    {
        using var run = Begin();
        run.Sample("1KiB");
        run.Step('d');
        run.Step('e');
        run.Sample("exact");
        run.Step('f');
        var trace = run.End();

        Near(trace.By("count", "step_d"), (100, 20_000), (5000, 400));
        Assert.Equal(0, trace.By("live", "step_d").Blocks); // each sample's end was told
        double foreign = 0, variance = 0;
        foreach (var (size, count) in new[] { (100, 10_000), (5000, 200) })
        {
            foreign += count * (1 - Probability(size));
            variance += count * Probability(size) * (1 - Probability(size));
        }
        Assert.InRange(trace.Number("foreign_frees"), foreign - (Sigmas * Math.Sqrt(variance)), foreign + (Sigmas * Math.Sqrt(variance)));
    }

    [Fact]
    public void A_rate_that_is_changed_for_another_holds_from_that_moment_on()
    {
        using var run = Begin();
        run.Sample("256KiB"); // hardly anything of these
        run.Step('g');
        run.Sample("1KiB");
        run.Step('d');
        var trace = run.End();

        Near(trace.By("count", "step_d"), (100, 20_000), (5000, 400));
        Assert.Equal(262_144, trace.Meta("sample_bytes"));
        Assert.Equal("262144 asked|1024 asked", trace.Sampling());
    }

    [Fact]
    public void A_child_has_its_own_births_as_its_parent_records_them()
    {
        using var run = Begin();
        run.Step('a');
        run.Sample("1KiB");
        SampledTarget.AwaitKeptBlocks(run.Pid);
        run.Step('i');
        run.Sample("exact");
        run.Step('i');
        var trace = run.End();

        Assert.Equal(1000, trace.By("live", "step_a").Blocks); // what children free is none of their parent's
        var children = trace.Query("SELECT allocations, live_blocks, frees, foreign_frees FROM process WHERE id > 1 ORDER BY id");
        Assert.Equal(2, children.Count);
        Near(((long)children[0][0]!, 0), (1000, 1000));
        Near(((long)children[0][1]!, 0), (1000, 500));
        // 400 of the parent's, and nobody can tell them from what was let pass.
        Assert.Equal([1000L, 500L, 500L, 400L], children[1]);
    }

    [Fact]
    public void The_trace_says_what_was_recorded_when_and_so_do_reports()
    {
        using var run = Begin();
        run.Step('a');
        Assert.Contains("by samples, one in 1.0 KiB on average from now on", run.Sample("1KiB").Errors, StringComparison.Ordinal);
        Assert.Contains("by samples, one in 1.0 KiB on average already", run.Sample("1KiB").Errors, StringComparison.Ordinal);
        run.Step('d');
        var check = Program.Run(["dotnet", Built.Command, "check", "-p", $"{run.Pid}"]).Expect(5);
        Assert.Contains("its recording is sampled: most blocks are not known", check.Errors, StringComparison.Ordinal);
        Assert.Contains("exactly from now on", run.Sample("exact").Errors, StringComparison.Ordinal);
        run.Step('h');
        check = Program.Run(["dotnet", Built.Command, "check", "-p", $"{run.Pid}"]).Expect(5);
        Assert.Contains("its recording is sampled", check.Errors, StringComparison.Ordinal);
        var trace = run.End();

        Assert.Equal("1024 asked|0 asked", trace.Sampling());
        Assert.Equal((0, 1024), (trace.Meta("exact"), trace.Meta("sample_bytes")));
        Assert.Matches(
            @"^samples were recorded, one in 1024 bytes on average, from \d+\.\d{3} s; every call was recorded from \d+\.\d{3} s$",
            (string)trace.Query("SELECT note FROM process")[0][0]!);
        Program.Run(["dotnet", Built.Command, "plot", trace.Path, "-o", _folder["heap.svg"]]).Expect(0);
        Assert.Contains("one in 1.0 KiB sampled", File.ReadAllText(_folder["heap.svg"]), StringComparison.Ordinal);
        Assert.Contains("every call recorded", File.ReadAllText(_folder["heap.svg"]), StringComparison.Ordinal);
        var report = Program.Run(["dotnet", Built.Command, "report", trace.Path]).Expect(0).Output;
        Assert.Matches(@"ESTIMATES from samples, one in 1\.0 KiB on average, from \d+(\.\d+)? m?s on", report);
    }

    [Fact]
    public void What_cannot_be_sampled_is_refused()
    {
        Assert.Contains("neither 'exact' nor a size", Ask(1, "often").Expect(2).Errors, StringComparison.Ordinal);
        Assert.Contains("neither 'exact' nor a size", Ask(1, "0").Expect(2).Errors, StringComparison.Ordinal);
        Assert.Contains("at most 1TiB", Ask(1, "2TiB").Expect(2).Errors, StringComparison.Ordinal);
        Assert.Contains("not being recorded", Ask(Environment.ProcessId, "1MiB").Expect(3).Errors, StringComparison.Ordinal);
    }

    private static Outcome Ask(int pid, string rate) => Program.Run(["dotnet", Built.Command, "sample", "-p", $"{pid}", rate]);

    private static double Probability(double size) => 1 - Math.Exp(-(size + 1) / Mean);

    private static void Near((long Blocks, long Bytes) estimate, params (long Size, long Count)[] truth)
    {
        double blocks = 0, bytes = 0, blockVariance = 0, byteVariance = 0;
        foreach (var (size, count) in truth)
        {
            var p = Probability(size);
            blocks += count;
            bytes += count * size;
            blockVariance += (count * (1 - p) / p) + SamplingTests.Rounding(count, p, bytes: false);
            byteVariance += (count * size * size * (1 - p) / p) + SamplingTests.Rounding(count, p, bytes: true);
        }
        Assert.InRange(estimate.Blocks, blocks - (Sigmas * Math.Sqrt(blockVariance)), blocks + (Sigmas * Math.Sqrt(blockVariance)));
        if (estimate.Bytes != 0)
        {
            Assert.InRange(estimate.Bytes, bytes - (Sigmas * Math.Sqrt(byteVariance)), bytes + (Sigmas * Math.Sqrt(byteVariance)));
        }
    }

    private SwitchedRun Begin() => new(_folder);

    /// <summary>The target switched under a collector.</summary>
    private sealed class SwitchedRun : IDisposable
    {
        private readonly Listening _collector;
        private readonly Program _program;
        private readonly string _done;

        public SwitchedRun(TempFolder folder)
        {
            _collector = Listening.Start(folder);
            _done = folder["done"];
            _program = Program.Start([Built.Target("switched"), _done], _collector.Around with { KeepInput = true });
        }

        public int Pid => _program.Pid;

        public void Step(char step) => _program.Step(step, _done);

        public Outcome Sample(string rate) => Ask(Pid, rate).Expect(0);

        public SwitchedTrace End()
        {
            _program.EndInput();
            _program.Wait().Expect(0);
            return new SwitchedTrace(_collector.TraceOf(Pid));
        }

        public void Dispose()
        {
            _program.Dispose();
            _collector.Dispose();
        }
    }

    private sealed record SwitchedTrace(string Path)
    {
        public Report Report { get; } = Listening.Read(Path);

        public (long Blocks, long Bytes) By(string measure, string function)
        {
            string[] command = ["dotnet", Built.Command, "report", Path, "--json", "--top", "1000000", "--by", measure];
            var report = Report.Parse(System.Text.Json.JsonDocument.Parse(Program.Run(command).Expect(0).Output).RootElement);
            var stacks = report.Stacks.Where(stack => stack.Goes(function)).ToList();
            return (stacks.Sum(stack => stack.Blocks), stacks.Sum(stack => stack.Bytes));
        }

        public IReadOnlyList<IReadOnlyList<object?>> Query(string sql) => Database.Read(Path, sql);

        public long Number(string column) => (long)Query($"SELECT sum({column}) FROM process")[0][0]!;

        public long Meta(string key) => (long)Query($"SELECT value FROM meta WHERE key = '{key}'")[0][0]!;

        public string Sampling() => string.Join('|', Query(
            "SELECT sample_bytes || ' ' || reason FROM sampling WHERE process_id = 1 ORDER BY time_ns").Select(row => row[0]));
    }
}
