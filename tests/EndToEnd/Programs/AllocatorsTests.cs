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

    private static Account? Run(Listening collector, string preload, string operations, out Report report)
    {
        var around = new Surroundings
        {
            Environment = new Dictionary<string, string?>(collector.Around.Environment) { ["LD_PRELOAD"] = preload },
        };
        using var program = Program.Start([Built.Target("exchange"), operations], around);
        var outcome = program.Wait().Expect(0);
        Assert.Equal("", outcome.Errors);
        report = collector.ReportOf(program.Pid);
        return operations == "nothing" ? null : Account.ParseTarget(outcome.Output);
    }
}
