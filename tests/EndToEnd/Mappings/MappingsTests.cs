using System.Globalization;
using System.Text.Json;

namespace NativeHeap.EndToEnd.Mappings;

/// <summary>Memory that programs map themselves, recorded by <c>--mmap</c>.</summary>
public sealed class MappingsTests : IDisposable
{
    private const long Page = 4096;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_way_to_map_and_to_unmap_is_counted_as_the_program_and_its_kernel_do()
    {
        using var recording = Run("cases");
        var own = MappedSums.ParseTarget(recording.Outcome.Expect(0).Output);

        Assert.True(recording.Report is { Complete: true, LostEvents: 0 });
        Assert.Equal(own, MappedSums.Of(recording.TracePath));
        // What is left of each, in pages; several calls in one are several stacks.
        var left = MappedSums.Stacks(recording.TracePath, "live").ToLookup(stack => stack.Frames[0].Function);
        (string Function, long Pages, long Mappings)[] expected =
        [
            ("map_not_whole_pages", 2, 1), ("cut_tail", 6, 1), ("cut_head", 7, 1), ("cut_hole", 7, 1), ("unmap_across", 4, 2),
            ("map_over", 8, 2), ("map_file_over", 7, 1), ("grow", 400, 1), ("shrink", 5, 1), ("move_over", 6, 2), ("move_a_part", 24, 2),
            ("map_shared", 12, 2), ("reserve", 1 << 18, 1), ("by_look_up", 7, 1), ("fail", 2, 1), ("unseen", 5, 1),
        ];
        foreach (var (function, pages, mappings) in expected)
        {
            var stacks = left[function].ToList();
            Assert.Equal(
                (function, pages * Page, mappings), (function, stacks.Sum(stack => stack.Bytes), stacks.Sum(stack => stack.Blocks)));
            Assert.All(stacks, stack => Assert.True(stack.Goes("main"), stack.ToString()));
            Assert.All(stacks, stack => Assert.Equal(function == "reserve" ? "mmap (no access)" : "mmap", stack.Entry));
        }
        Assert.Equal(expected.Select(it => it.Function).Append("move_and_keep").Order(), left.Select(it => it.Key).Order());
    }

    [Fact]
    public void Nothing_of_it_is_in_the_figures_of_the_heap()
    {
        using var without = Recording.Run(_folder, [Built.Target("mappings"), "cases"]);
        using var with = Run("cases");

        Assert.Equal(without.Report.Totals.Sums, with.Report.Totals.Sums);
        Assert.Equal(without.Report.Totals.PeakBytes, with.Report.Totals.PeakBytes);
        Assert.Equal(Shape(without.ReportBy("count")), Shape(with.ReportBy("count")));
        Assert.DoesNotContain(with.ReportBy("allocated").Stacks, stack => stack.Entry!.StartsWith("mmap", StringComparison.Ordinal));
        Assert.Contains("mapped by the program itself, apart from these: ", with.Outcome.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("mapped by the program", without.Outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void The_programs_calls_are_directed_where_it_is_asked_for_and_nowhere_else()
    {
        using var without = Recording.Run(_folder, [Built.Target("mappings"), "who"]);
        using var with = Run("who");

        Assert.Equal(Enumerable.Repeat("libc.so.6", 4), without.Outcome.Expect(0).Output.TrimEnd().Split('\n'));
        Assert.Equal(Enumerable.Repeat("libnativeheap.so", 4), with.Outcome.Expect(0).Output.TrimEnd().Split('\n'));
        Assert.Equal(JsonValueKind.Null, MappedSums.Read(without.TracePath, []).GetProperty("mapped").ValueKind);
        var refused = Program.Run(["dotnet", Built.Command, "report", without.TracePath, "--mmap"]).Expect(2);
        Assert.Contains("has no mappings", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_that_cut_and_unmap_what_others_have_mapped_are_counted_to_the_last_page()
    {
        using var recording = Run("threads", "4");
        var own = MappedSums.ParseTarget(recording.Outcome.Expect(0).Output);

        Assert.True(recording.Report is { Complete: true, LostEvents: 0 });
        Assert.Equal(own, MappedSums.Of(recording.TracePath));
        Assert.Equal(own.MappedBytes - own.UnmappedBytes, MappedSums.Stacks(recording.TracePath, "live").Sum(stack => stack.Bytes));
    }

    [Fact]
    public void What_a_forked_child_inherits_is_its_parents()
    {
        using var recording = Run("fork");
        var lines = recording.Outcome.Expect(0).Output.TrimEnd().Split('\n');
        var child = lines[0].Split(' ')[0];

        Assert.True(recording.Report is { Complete: true, LostEvents: 0 });
        Assert.Equal(MappedSums.ParseTarget(lines[0]), MappedSums.Of(recording.TracePath, "--pid", child));
        Assert.Equal(
            MappedSums.ParseTarget(lines[1]),
            MappedSums.Of(recording.TracePath, "--pid", recording.Report.First.Pid.ToString(CultureInfo.InvariantCulture)));
        var refused = Program.Run(["dotnet", Built.Command, "report", recording.TracePath, "--mmap", "--by", "peak"]).Expect(2);
        Assert.Contains("choose one by --pid", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Handlers_that_map_in_the_midst_of_a_call_are_counted_or_counted_as_missed()
    {
        using var recording = Run("signals", "1000");
        var own = MappedSums.ParseTarget(recording.Outcome.Expect(0).Output);

        var seen = MappedSums.Of(recording.TracePath);
        var missed = (long)recording.Query("SELECT sum(missed_calls) FROM process")[0][0]!;
        Assert.Equal(0, recording.Report.LostEvents);
        Assert.Equal(own.Mappings, seen.Mappings + (missed / 2)); // where a mmap is missed, so is its munmap
        Assert.Equal(0, seen.MappedBytes - seen.UnmappedBytes);
    }

    [Fact]
    public void What_is_mapped_in_a_pause_is_not_counted_and_what_ends_in_it_is()
    {
        using var recording = Run("pause");
        Assert.Equal(MappedSums.ParseTarget(recording.Outcome.Expect(0).Output), MappedSums.Of(recording.TracePath));
    }

    [Fact]
    public void Queries_find_them_by_the_function_that_called()
    {
        using var recording = Run("cases");
        recording.Outcome.Expect(0);
        var query = File.ReadAllText(Path.Combine(Built.Root, "docs/queries.md"))
            .Split("```sql\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)])
            .Single(sql => sql.Contains("FROM mapped_total", StringComparison.Ordinal));
        var rows = recording.Ask(query);

        Assert.Equal(["reserve", 1L, Page << 18, Page << 18], rows[0]);
        Assert.Contains(rows, row => row.SequenceEqual(["cut_to_nothing", 1L, 9 * Page, 0L]));
    }

    [Fact]
    public void The_peak_is_of_mapped_bytes_and_its_stacks_are_those_of_that_moment()
    {
        using var recording = Run("cases");
        recording.Outcome.Expect(0);
        var mapped = MappedSums.Read(recording.TracePath, []).GetProperty("mapped");
        var atPeak = MappedSums.Stacks(recording.TracePath, "peak");

        Assert.Equal(MappedSums.Number(mapped, "peak_bytes"), atPeak.Sum(stack => stack.Bytes));
        Assert.Equal(MappedSums.Number(mapped, "peak_mappings"), atPeak.Sum(stack => stack.Blocks));
        Assert.True(MappedSums.Number(mapped, "peak_bytes") >= MappedSums.Number(mapped, "live_bytes"));
        Assert.Equal((1L << 18) * Page, MappedSums.Number(mapped, "live_reserved_bytes"));
    }

    [Fact]
    public void A_snapshot_has_what_was_mapped_then_and_what_has_come_since_is_told()
    {
        using var recording = Run("mark");
        var own = MappedSums.ParseTarget(recording.Outcome.Expect(0).Output);
        var then = MappedSums.Stacks(recording.TracePath + "@half", "live");

        Assert.Equal(("grow", 400 * Page, 1L), (then[0].Frames[0].Function, then[0].Bytes, then[0].Blocks));
        Assert.Single(then);
        using var diff = JsonDocument.Parse(Program.Run(
            ["dotnet", Built.Command, "diff", recording.TracePath + "@half", recording.TracePath, "--mmap", "--json"]).Expect(0).Output);
        var grown = diff.RootElement.GetProperty("stacks").EnumerateArray().ToList();
        Assert.Equal(own.MappedBytes - own.UnmappedBytes - (400 * Page), grown.Sum(stack => stack.GetProperty("delta_bytes").GetInt64()));
        Assert.Equal(3, grown.Sum(stack => stack.GetProperty("delta_blocks").GetInt64()));
        var refused = Program.Run(["dotnet", Built.Command, "report", recording.TracePath, "--mmap", "--at", "1ms"]).Expect(2);
        Assert.Contains("--mmap does not go with times", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void They_are_counted_exactly_also_where_the_heap_is_sampled()
    {
        using var recording = Recording.Run(_folder, [Built.Target("mappings"), "cases"], null, "--mmap", "--sample", "1MiB");
        var own = MappedSums.ParseTarget(recording.Outcome.Expect(0).Output);

        Assert.Equal(own, MappedSums.Of(recording.TracePath));
        var text = Program.Run(["dotnet", Built.Command, "report", recording.TracePath, "--mmap"]).Expect(0).Output;
        Assert.Contains("Mapped at the end: 1.0 GiB in ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void They_are_counted_from_an_attach_on_and_again_from_the_next()
    {
        using var program = Program.Start([Built.Target("mappings"), "wait"], new Surroundings { KeepInput = true });
        var idle = Attachment.Cycle(_folder, program.Pid, () => { }, "--mmap");
        using var attachment = Attachment.Start(_folder, program.Pid, "--mmap");
        program.EndInput();
        var own = MappedSums.ParseTarget(program.Wait().Expect(0).Output);
        attachment.Wait().Expect(0);

        Assert.True(attachment.Report() is { Complete: true, LostEvents: 0 });
        Assert.Equal(own, MappedSums.Of(attachment.TracePath));
        Assert.Equal(new MappedSums(0, 0, 0, 0), MappedSums.Of(idle.TracePath));
        idle.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_collector_that_listens_records_them_where_it_or_the_program_says_so(bool collectorSays)
    {
        using var collector = Listening.Start(_folder, null, collectorSays ? ["--mmap"] : []);
        var around = collector.Around;
        var settings = new Dictionary<string, string?>(around.Environment!);
        if (!collectorSays)
        {
            settings["NATIVEHEAP_MMAP"] = "yes";
        }
        using var program = Program.Start([Built.Target("mappings"), "cases"], around with { Environment = settings });
        var own = MappedSums.ParseTarget(program.Wait().Expect(0).Output);
        Assert.Equal(own, MappedSums.Of(collector.TraceOf(program.Pid)));
        collector.End().Expect(0);
    }

    [Fact]
    public void A_raw_file_has_them_too()
    {
        var around = new Surroundings
        {
            Environment = new Dictionary<string, string?>
            {
                ["LD_PRELOAD"] = Built.Shim,
                ["NATIVEHEAP_OUT"] = _folder["out.raw"],
                ["NATIVEHEAP_MMAP"] = "yes",
            },
        };
        var own = MappedSums.ParseTarget(Program.Run([Built.Target("mappings"), "threads", "3"], around).Expect(0).Output);
        Program.Run(["dotnet", Built.Command, "convert", _folder["out.raw"], "-o", _folder["out.nheap"]]).Expect(0);
        Assert.Equal(own, MappedSums.Of(_folder["out.nheap"]));
    }

    private Recording Run(params string[] arguments) =>
        Recording.Run(_folder, [Built.Target("mappings"), .. arguments], null, "--mmap");

    private static List<(long, long, string?, string)> Shape(Report report) =>
        [.. report.Stacks.Select(stack => (stack.Bytes, stack.Blocks, stack.Entry, string.Join('<', stack.Frames.Select(frame => frame.Function)))).Order()];
}
