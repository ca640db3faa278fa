namespace NativeHeap.EndToEnd.Checks;

/// <summary>A program that tells of the blocks of its own pool (tests/targets/pool.c).</summary>
public sealed class PoolTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Without_the_profiler_a_pool_tells_nobody() => Harness.Program.Run([Built.Target("pool")]).Expect(0);

    [Fact]
    public void Blocks_of_a_pool_are_counted_by_stack_beside_the_chunk_they_lie_in()
    {
        var recording = Recording.Run(_folder, [Built.Target("pool")]);

        recording.Outcome.Expect(0);
        Assert.True(recording.Report.Complete);
        var live = recording.Report.Stacks.Where(stack => stack.Entry == "pool").ToList();
        Assert.Equal((1500, 30), (live.Sum(stack => stack.Bytes), live.Sum(stack => stack.Blocks)));
        Assert.Contains(live, stack => stack.Goes("take_30") && stack.Blocks == 20);
        Assert.Contains(live, stack => stack.Goes("main") && stack.Blocks == 10);
        var ever = recording.ReportBy("allocated").Stacks.Where(stack => stack.Entry == "pool").ToList();
        Assert.Equal((2000, 40), (ever.Sum(stack => stack.Bytes), ever.Sum(stack => stack.Blocks)));
        Assert.Contains(recording.Report.Stacks, stack => stack is { Entry: "malloc", Bytes: 4096, Blocks: 1 });
        Assert.Contains("of the totals, pools of the program gave", recording.Outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("in 40 blocks", recording.Outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_check_knows_the_chunk_alone_and_what_a_block_of_the_pool_holds_is_held()
    {
        var check = CheckRun.Run(_folder, [Built.Target("pool")], null, "--error-exitcode", "0").Check;

        Assert.Equal((200, 1), check.Sum("definite"));
        Assert.Equal((0, 0), check.Sum("indirect"));
        Assert.Equal((0, 0), check.Sum("possible"));
        Assert.Equal((4096, 1), check.Of("main", 4096)["reachable"]);
        Assert.Equal((100, 1), check.Of("main", 100)["reachable"]);
    }
}
