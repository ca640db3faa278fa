using System.Globalization;
using System.Text.Json;

namespace NativeHeap.EndToEnd.Reading;

/// <summary>Ranges, filters and views of report on a program with a schedule (tests/targets/phases.c), recorded once.</summary>
public sealed class FilterTests(FilterTests.Schedule schedule) : IClassFixture<FilterTests.Schedule>
{
    // What main does in phase 1, 3; the threads' blocks are 64 bytes each.
    private const int Kept = 10, KeptBytes = 1000, Freed = 4, Large = 5, LargeBytes = 5000, First = 20, Second = 30, SecondFreed = 10;

    public sealed class Schedule : IDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly Recording _trace;

        public Schedule()
        {
            _trace = Recording.Run(_folder, [Built.Target("phases")]);
            var words = _trace.Outcome.Expect(0).Output.Split(' ', StringSplitOptions.TrimEntries);
            var start = (long)_trace.Query("SELECT value FROM meta WHERE key = 'start_monotonic_ns'")[0][0]!;
            Gaps = [.. words[..4].Select(word => long.Parse(word, CultureInfo.InvariantCulture) - start)];
            (FirstTid, SecondTid) = (words[4], words[5]);
        }

        internal string Path => _trace.TracePath;

        internal Report Report => _trace.Report;

        /// <summary>Middles of the quiet times before phase 1, 2, 3 and 4, nanoseconds since the trace's start.</summary>
        internal long[] Gaps { get; }

        internal string FirstTid { get; }

        internal string SecondTid { get; }

        public void Dispose() => _folder.Dispose();
    }

    [Theory]
    [InlineData(0, 1, Kept * KeptBytes, Kept)]
    [InlineData(1, 2, (First + Second - SecondFreed) * 64, First + Second - SecondFreed)]
    [InlineData(2, 3, Large * LargeBytes, Large)]
    [InlineData(0, 3, ((Kept - Freed) * KeptBytes) + (Large * LargeBytes) + ((First + Second - SecondFreed) * 64), Kept - Freed + Large + First + Second - SecondFreed)]
    public void What_was_allocated_between_two_gaps_and_was_alive_at_the_later_is_exact(int from, int to, long bytes, long blocks) =>
        Assert.Equal((bytes, blocks), Selected("--from", At(from), "--to", At(to), "--module", "phases"));

    [Theory]
    [InlineData(0, 1, 0, 0)]
    [InlineData(1, 2, (SecondFreed * 64) + (Freed * KeptBytes), SecondFreed + Freed)]
    [InlineData(2, 3, 0, 0)]
    [InlineData(0, 3, (SecondFreed * 64) + (Freed * KeptBytes), SecondFreed + Freed)]
    public void What_was_freed_between_two_gaps_is_exact_whenever_it_was_born(int from, int to, long bytes, long blocks) =>
        Assert.Equal((bytes, blocks), Selected("--by", "freed", "--from", At(from), "--to", At(to), "--module", "phases"));

    [Fact]
    public void What_was_freed_after_the_last_gap_is_the_last_phase() =>
        Assert.Equal((Large * LargeBytes, Large), Selected("--by", "freed", "--from", At(3), "--module", "phases"));

    [Theory]
    [InlineData(1, Kept * KeptBytes, Kept)]
    [InlineData(2, ((Kept - Freed) * KeptBytes) + ((First + Second - SecondFreed) * 64), Kept - Freed + First + Second - SecondFreed)]
    [InlineData(3, ((Kept - Freed) * KeptBytes) + ((First + Second - SecondFreed) * 64) + (Large * LargeBytes), Kept - Freed + First + Second - SecondFreed + Large)]
    public void What_was_alive_in_a_gap_is_exact(int gap, long bytes, long blocks)
    {
        var before = Selected("--at", At(0), "--module", "phases"); // the threads themselves
        Assert.Equal((before.Bytes + bytes, before.Blocks + blocks), Selected("--at", At(gap), "--module", "phases"));
    }

    [Theory]
    [InlineData(64, 127, (First + Second) * 64, First + Second)]
    [InlineData(70, 100, (First + Second) * 64, First + Second)] // widened to their power of two
    [InlineData(4096, 8191, Large * LargeBytes, Large)]
    [InlineData(513, 1000, Kept * KeptBytes, Kept)]
    public void Blocks_of_a_power_of_two_are_those_the_program_asked_for(int least, int most, long bytes, long blocks) => Assert.Equal(
        (bytes, blocks),
        Selected(
            "--min-size", least.ToString(CultureInfo.InvariantCulture), "--max-size", most.ToString(CultureInfo.InvariantCulture),
            "--module", "phases", "--by", "count"));

    // The gap of 200 ms lies within the power of two from 131 to 262 ms; phases themselves take next to nothing.
    [Fact]
    public void Blocks_that_lived_through_one_gap_are_found_by_their_lifetime()
    {
        Assert.Equal(
            ((Freed * KeptBytes) + (Large * LargeBytes), Freed + Large),
            Selected("--min-lifetime", "131072us", "--module", "phases"));
        Assert.Equal((SecondFreed * 64, SecondFreed), Selected("--max-lifetime", "100ms", "--module", "phases"));
    }

    [Fact]
    public void Each_thread_has_what_it_allocated_whoever_freed_it()
    {
        Assert.Equal((First * 64, First), Selected("--thread", schedule.FirstTid));
        Assert.Equal(((Second - SecondFreed) * 64, Second - SecondFreed), Selected("--thread", schedule.SecondTid));
        Assert.Equal((Second * 64, Second), Selected("--thread", schedule.SecondTid, "--by", "allocated"));
        Assert.Equal((SecondFreed * 64, SecondFreed), Selected("--thread", schedule.SecondTid, "--by", "freed"));
    }

    [Fact]
    public void The_view_of_threads_adds_up_to_the_totals()
    {
        var threads = Report("--view", "threads").GetProperty("threads").EnumerateArray().ToList();
        var second = threads.Single(thread => thread.GetProperty("tid").GetRawText() == schedule.SecondTid);

        Assert.Equal(((Second - SecondFreed) * 64, Second * 64), (Number(second, "live_bytes"), Number(second, "allocated_bytes")));
        Assert.Equal(schedule.Report.Totals.Sums.LiveBytes, threads.Sum(thread => Number(thread, "live_bytes")));
        Assert.Equal(schedule.Report.Totals.Sums.LiveBlocks, threads.Sum(thread => Number(thread, "live_blocks")));
        Assert.Equal(schedule.Report.Totals.Sums.AllocatedBytes, threads.Sum(thread => Number(thread, "allocated_bytes")));
        Assert.Contains(schedule.SecondTid, Verb("report", schedule.Path, "--view", "threads").Expect(0).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no thread 1;", "--thread", "1")]
    [InlineData("runs through a module libnone.so", "--module", "libnone.so")]
    [InlineData("--min-size is more than --max-size", "--min-size", "100", "--max-size", "10")]
    [InlineData("use --by allocated or count", "--min-size", "100", "--by", "live")]
    [InlineData("use --by freed", "--min-lifetime", "1s", "--by", "live")]
    [InlineData("sizes are kept of what was allocated", "--min-lifetime", "1s", "--min-size", "8", "--by", "freed")]
    [InlineData("does not go with times", "--thread", "1", "--from", "1ms")]
    [InlineData("--from is after --to", "--from", "300ms", "--to", "200ms")]
    [InlineData("--from is after the end", "--from", "1000s")]
    [InlineData("--at is after the end", "--at", "1000s")]
    [InlineData("only --pid and --top go with it", "--view", "threads", "--by", "allocated")]
    public void An_impossible_range_or_filter_is_refused_in_one_line(string why, params string[] options)
    {
        var outcome = Verb(["report", schedule.Path, .. options]).Expect(2);

        Assert.Equal("", outcome.Output);
        var line = Assert.Single(outcome.Said);
        Assert.Contains(why, line, StringComparison.Ordinal);
    }

    private static Outcome Verb(params string[] words) => Program.Run(["dotnet", Built.Command, .. words]);

    private static long Number(JsonElement item, string name) => item.GetProperty(name).GetInt64();

    private string At(int gap) => $"{schedule.Gaps[gap]}ns";

    private JsonElement Report(params string[] options) =>
        JsonDocument.Parse(Verb(["report", schedule.Path, "--json", .. options]).Expect(0).Output).RootElement;

    private (long Bytes, long Blocks) Selected(params string[] options)
    {
        var selection = Report(options).GetProperty("selection");
        return (Number(selection, "bytes"), Number(selection, "blocks"));
    }
}
