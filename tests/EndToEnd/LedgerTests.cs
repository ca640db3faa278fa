using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd;

/// <summary>Where the resident memory is, of programs that know it.</summary>
public sealed class LedgerTests : IDisposable
{
    private const long MiB = 1 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Freed_memory_that_malloc_keeps_is_told_and_agrees_with_what_malloc_counts()
    {
        using var trace = Recording.Start(_folder, [Built.Target("keep_freed")], new Surroundings { KeepInput = true });
        WaitFor(trace, "SELECT frees FROM process WHERE id = 1", 150 * 1024);
        var looks = trace.Committed(Looks);
        WaitFor(trace, Looks, looks + 2); // the second began after the last free
        trace.EndInput();
        var counts = trace.Outcome.Expect(0).Output.Split(' ').Select(word => long.Parse(word, CultureInfo.InvariantCulture)).ToList();
        var (live, free) = (counts[0], counts[1]);

        var ledger = Report(trace, "--json") is var text ? JsonDocument.Parse(text).RootElement.GetProperty("ledger") : default;
        var parts = ledger.GetProperty("parts").EnumerateArray().ToDictionary(
            part => part.GetProperty("name").GetString()!, part => part.GetProperty("bytes").GetInt64());
        var rss = ledger.GetProperty("rss_bytes").GetInt64();
        var unexplained = ledger.GetProperty("unexplained_bytes").GetInt64();

        Assert.Equal(rss, parts.Values.Sum() + unexplained);
        Assert.InRange(Math.Abs(unexplained), 0, rss / 20);
        Assert.InRange(parts["live native blocks"] + parts["allocator overhead"], live - MiB, live + MiB);
        Assert.InRange(parts["kept by malloc"], free - MiB, free + MiB);
        Assert.InRange(ledger.GetProperty("kept_by_malloc_at_least_bytes").GetInt64(), free * 9 / 10, free + MiB);
        var words = string.Join(' ', Report(trace).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Matches(@"At least 1[34]\d\.\d MiB of the malloc heap was freed by the program and is kept by malloc\.", words);
    }

    [Fact]
    public void Live_untouched_and_kept_memory_agree_with_malloc_info()
    {
        using var trace = Recording.Start(_folder, [Built.Target("malloc_info")], new Surroundings { KeepInput = true });
        WaitFor(trace, "SELECT allocations FROM process WHERE id = 1", 3 * 20 * 1024 + 4);
        WaitFor(trace, "SELECT frees FROM process WHERE id = 1", (3 * 18 * 1024) + 1024);
        var looks = trace.Committed(Looks);
        WaitFor(trace, Looks, looks + 2); // the second began after the last block was touched
        trace.EndInput();
        var said = trace.Outcome.Expect(0).Output;
        var own = said.Split('\n')[0].Split(' ').Select(word => long.Parse(word, CultureInfo.InvariantCulture)).ToList();
        var all = said[said.LastIndexOf("</heap>", StringComparison.Ordinal)..];
        var inArenas = Counted(all, "system type=\"current\"");
        var free = Counted(all, "total type=\"fast\"") + Counted(all, "total type=\"rest\"");
        var large = Counted(all, "total type=\"mmap\"");

        var ledger = JsonDocument.Parse(Report(trace, "--json")).RootElement.GetProperty("ledger");
        var parts = ledger.GetProperty("parts").EnumerateArray().ToDictionary(
            part => part.GetProperty("name").GetString()!, part => part.GetProperty("bytes").GetInt64());
        var untouched = ledger.GetProperty("untouched_bytes").GetInt64();

        const long slack = 64 * 1024; // of the C library itself, of its buffers, and of pages that are half touched
        Assert.InRange(untouched, own[1] - slack, own[1] + slack);
        Assert.InRange(parts["live native blocks"] + untouched, own[0] - slack, own[0] + slack);
        Assert.InRange(
            parts["live native blocks"] + parts["allocator overhead"], inArenas - free + large - untouched - slack,
            inArenas - free + large - untouched + slack);
        Assert.InRange(parts["kept by malloc"], free - MiB, free + slack);
        Assert.Equal(ledger.GetProperty("rss_bytes").GetInt64(), parts.Values.Sum() + ledger.GetProperty("unexplained_bytes").GetInt64());
    }

    [Fact]
    public void Pythons_objects_agree_with_what_its_allocator_counts()
    {
        const string script = """
            import os, sys
            kept = {i: (str(i), [i]) for i in range(200000)}
            for i in range(0, 200000, 2): del kept[i]
            sys._debugmallocstats()
            open(sys.argv[1], 'w')
            sys.stdin.read()
            os._exit(0) # without freeing all: the last look counts
            """;
        using var trace = Recording.Start(
            _folder, ["/usr/bin/python3", "-c", script, _folder["ready"]], new Surroundings { KeepInput = true });
        Assert.True(SpinWait.SpinUntil(() => File.Exists(_folder["ready"]) || trace.HasEnded, TimeSpan.FromMinutes(1)));
        WaitFor(trace, LooksSince(_folder["ready"]), 1);
        trace.EndInput();
        var said = trace.Outcome.Expect(0).Errors;
        var given = Said(@"# bytes in allocated blocks += +([\d,]+)");
        var all = Said(@"arenas \* \d+ bytes/arena += +([\d,]+)");

        var ledger = JsonDocument.Parse(Report(trace, "--json")).RootElement.GetProperty("ledger");
        var parts = ledger.GetProperty("parts").EnumerateArray().ToDictionary(
            part => part.GetProperty("name").GetString()!, part => part.GetProperty("bytes").GetInt64());

        Assert.True(given > 10 * MiB, said);
        Assert.True(
            Math.Abs(parts["Python objects"] - given) <= MiB / 4,
            $"given {given}, told {ledger}; looks before: {string.Join(' ', trace.Ask("SELECT time_ns, bytes FROM ledger WHERE part = 'Python objects' ORDER BY time_ns").TakeLast(4).Select(row => $"{row[0]}:{row[1]}"))}");
        Assert.InRange(parts["Python objects"] + parts["kept by Python"], all - (2 * MiB), all + (MiB / 4)); // the last arena is not touched yet
        Assert.InRange(parts["other anonymous"], 0, 8 * MiB);
        Assert.Equal(ledger.GetProperty("rss_bytes").GetInt64(), parts.Values.Sum() + ledger.GetProperty("unexplained_bytes").GetInt64());

        long Said(string pattern) => long.Parse(
            Regex.Match(said, pattern).Groups[1].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
    }

    // The size that malloc_info gives an element.
    private static long Counted(string xml, string element)
    {
        var match = Regex.Match(xml, $"<{element}[^>]* size=\"([0-9]+)\"");
        Assert.True(match.Success, xml);
        return long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }

    // Looks that began after a file was made; its time is the kernel's last tick, at most 10 ms before.
    private static string LooksSince(string path)
    {
        var made = ((File.GetLastWriteTimeUtc(path) - DateTime.UnixEpoch).Ticks * 100) + 10_000_000;
        return $"{Looks} AND time_ns > {made} - (SELECT value FROM meta WHERE key = 'start_unix_ns')";
    }

    private const string Looks = "SELECT count(*) FROM ledger WHERE part = 'rss'";

    private static string Report(Recording trace, params string[] options) =>
        Program.Run(["dotnet", Built.Command, "report", trace.TracePath, .. options]).Expect(0).Output;

    private static void WaitFor(Recording trace, string sql, long least)
    {
        var clock = Stopwatch.StartNew();
        while (trace.Committed(sql) < least)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(1) && !trace.HasEnded, $"{sql} stays below {least}");
            Thread.Yield();
        }
    }
}
