namespace NativeHeap.EndToEnd.Programs;

/// <summary>Other allocators than libc's, preloaded behind the shim, and before it.</summary>
public sealed class AllocatorsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Allocators_behind_the_shim_are_counted_and_those_before_it_work_as_they_would()
    {
        using var collector = Listening.Start(_folder);
        foreach (var allocator in (string[])["libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"])
        {
            var own = Run(collector, $"{Built.Shim}:{allocator}", "20000", out var trace);
            Run(collector, $"{Built.Shim}:{allocator}", "nothing", out var idle);
            Assert.True(trace is { Complete: true, LostEvents: 0 }, allocator);
            Assert.Equal(own!.Sums + idle.Totals.Sums, trace.Totals.Sums);

            // The program calls the allocator itself, and nobody sees it.
            Assert.NotNull(Run(collector, $"{allocator}:{Built.Shim}", "20000", out var unseen));
            Assert.True(unseen.Totals.Sums.Allocations < own.Sums.Allocations, allocator);
        }
        collector.End().Expect(0);
    }

    [Theory]
    [InlineData("jemalloc", "libjemalloc.so.2")]
    [InlineData("tcmalloc", "libtcmalloc_minimal.so.4")]
    [InlineData("mimalloc", "libmimalloc.so.2")]
    public void Their_own_entry_points_are_counted_and_are_there_for_the_program_only_where_they_are(string name, string library)
    {
        using var collector = Listening.Start(_folder);
        var own = Run(collector, $"{Built.Shim}:{library}", name, out var trace, "other_allocators");
        Run(collector, $"{Built.Shim}:{library}", "nothing", out var idle, "other_allocators");
        Assert.True(trace is { Complete: true, LostEvents: 0 });
        Assert.Equal(own!.Sums + idle.Totals.Sums, trace.Totals.Sums);
        Assert.Contains(trace.Stacks, stack => stack.Goes($"with_{name}"));
        Assert.Contains(trace.Stacks, stack => stack.Goes("with_operators"));

        // It asks for all of them, and looks whether none is there.
        Run(collector, Built.Shim, "none", out _, "other_allocators");
        collector.End().Expect(0);
    }

    [Theory]
    [InlineData("jemalloc", "libjemalloc.so.2")]
    [InlineData("tcmalloc", "libtcmalloc_minimal.so.4")]
    [InlineData("mimalloc", "libmimalloc.so.2")]
    public void Their_own_entry_points_are_counted_from_an_attach_on(string name, string library)
    {
        var around = new Surroundings
        {
            KeepInput = true,
            Environment = new Dictionary<string, string?> { ["LD_PRELOAD"] = library },
        };
        using var program = Program.Start([Built.Target("other_allocators"), name, "wait"], around);
        using var attachment = Attachment.Start(_folder, program.Pid);
        program.EndInput();
        var own = Account.ParseTarget(program.Wait().Expect(0).Output);
        attachment.Wait().Expect(0);
        Assert.Equal(own.Sums, attachment.Report().Totals.Sums);
        Assert.Equal(0, attachment.Report().LostEvents);
    }

    private static Account? Run(Listening collector, string preload, string operations, out Report report, string target = "exchange")
    {
        var around = new Surroundings
        {
            Environment = new Dictionary<string, string?>(collector.Around.Environment) { ["LD_PRELOAD"] = preload },
        };
        using var program = Program.Start([Built.Target(target), operations], around);
        var outcome = program.Wait().Expect(0);
        Assert.Equal("", outcome.Errors);
        report = collector.ReportOf(program.Pid);
        return operations == "nothing" ? null : Account.ParseTarget(outcome.Output);
    }
}
