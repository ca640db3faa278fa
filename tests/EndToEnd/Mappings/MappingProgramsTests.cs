using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd.Mappings;

/// <summary>Programs whose allocators and runtimes map memory, under <c>--mmap</c>.</summary>
public sealed class MappingProgramsTests : IDisposable
{
    private const string Python = "/usr/bin/python3";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("libjemalloc.so.2")]
    [InlineData("libmimalloc.so.2")]
    [InlineData("libtcmalloc.so.4")]
    public void Allocators_memory_is_seen_where_they_map_it_and_their_blocks_are_counted_as_ever(string allocator)
    {
        var around = new Surroundings { Environment = new Dictionary<string, string?> { ["LD_PRELOAD"] = allocator } };
        using var without = Recording.Run(_folder, [Built.Target("line_by_line"), "200"], around);
        using var with = Recording.Run(_folder, [Built.Target("line_by_line"), "200"], around, "--mmap");

        Assert.Equal(0, with.Outcome.ExitCode);
        Assert.True(with.Report is { Complete: true, LostEvents: 0 });
        Assert.Equal(without.Report.Totals.Sums, with.Report.Totals.Sums);
        Assert.Equal(without.Report.Totals.PeakBytes, with.Report.Totals.PeakBytes);
        var stacks = MappedSums.Stacks(with.TracePath, "allocated");
        Assert.NotEmpty(stacks);
        // Its mmap stands within malloc, and so within a function of the shim's.
        Assert.DoesNotContain(stacks, stack => stack.Frames.Any(frame => IsOf("libnativeheap", frame)));
        if (allocator != "libtcmalloc.so.4") // which takes the program's break
        {
            Assert.Contains(stacks, stack => IsOf(allocator, stack.Frames[0]) && !IsOf(allocator, stack.Frames[^1]));
        }
    }

    [Fact]
    public void What_libc_maps_for_its_malloc_and_its_threads_is_not_seen_and_so_not_counted_twice()
    {
        using var recording = Recording.Run(_folder, [Built.Target("exchange"), "1000"], null, "--mmap");
        recording.Outcome.Expect(0);
        Assert.Equal(new MappedSums(0, 0, 0, 0), MappedSums.Of(recording.TracePath));
    }

    [Fact]
    public void Every_arena_of_Pythons_objects_is_there_as_Python_counts_them()
    {
        const string script =
            "import os, sys\n"
            + "many = [str(i) * 50 for i in range(50000)]\n"
            + "del many[::2]\n"
            + "sys._debugmallocstats()\n"
            + "os._exit(0)\n";
        using var recording = Recording.Run(_folder, [Python, "-I", "-c", script], null, "--mmap");
        var said = recording.Outcome.Expect(0).OwnErrors;

        var arena = long.Parse(Regex.Match(said, @"arenas \* (\d+) bytes/arena").Groups[1].Value, CultureInfo.InvariantCulture);
        var ever = MappedSums.Stacks(recording.TracePath, "count").Where(stack => stack.Bytes == stack.Blocks * arena).ToList();
        Assert.Equal(Said(said, "# arenas allocated total"), ever.Sum(stack => stack.Blocks));
        var left = MappedSums.Stacks(recording.TracePath, "live").Where(stack => stack.Bytes == stack.Blocks * arena).ToList();
        Assert.Equal(Said(said, "# arenas allocated current"), left.Sum(stack => stack.Blocks));
        Assert.True(ever.Sum(stack => stack.Blocks) >= 2, "it has too few arenas to say anything");
        Assert.Contains(left, stack => stack.Goes("Py_RunMain") || stack.Goes("Py_BytesMain"));
    }

    [Fact]
    public void Managed_methods_stand_above_what_they_map()
    {
        using var recording = Recording.Run(
            _folder, ["dotnet", Built.DotNetTarget("dotnet-allocations"), Built.Library("allocate"), "mappings"], null, "--mmap");
        recording.Outcome.Expect(0);

        var kept = MappedSums.Stacks(recording.TracePath, "live").Where(stack => stack.Goes("Allocations.Mappings.Keep")).ToList();
        Assert.Equal((20L << 20, 20), (kept.Sum(stack => stack.Bytes), kept.Sum(stack => stack.Blocks)));
        Assert.All(kept, stack => Assert.True(stack.Goes("Program.<Main>$") || stack.Goes("Program.Main"), stack.ToString()));
        var ever = MappedSums.Stacks(recording.TracePath, "allocated").Where(stack => stack.Goes("Allocations.Mappings.GiveBack")).ToList();
        Assert.Equal((20L << 20, 20), (ever.Sum(stack => stack.Bytes), ever.Sum(stack => stack.Blocks)));
        // What the runtime reserves for its heaps has no memory behind it, and is told apart.
        var mapped = MappedSums.Read(recording.TracePath, []).GetProperty("mapped");
        Assert.True(MappedSums.Number(mapped, "live_reserved_bytes") > MappedSums.Number(mapped, "live_bytes") / 2);
    }

    private static bool IsOf(string module, ReportedFrame frame) => frame.Module?.Contains(module, StringComparison.Ordinal) == true;

    private static long Said(string text, string what) => long.Parse(
        text.Split('\n').Single(line => line.StartsWith(what, StringComparison.Ordinal)).Split('=')[1].Replace(",", "", StringComparison.Ordinal).Trim(),
        CultureInfo.InvariantCulture);
}
