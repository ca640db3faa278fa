namespace NativeHeap.EndToEnd.Checks;

/// <summary>Blocks that .NET code holds, and those whose holder is dead (tests/targets/dotnet-leaks).</summary>
public sealed class ManagedHoldersTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Live_objects_hold_blocks_and_dead_ones_do_not()
    {
        // One tier: what a method that is about to be replaced has left on a stack is nobody's business.
        var around = new Surroundings { Environment = new Dictionary<string, string?> { ["DOTNET_TieredCompilation"] = "0" } };
        var run = CheckRun.Run(_folder, ["dotnet", Built.DotNetTarget("dotnet-leaks")], around);

        Assert.Equal("", run.Check.Notes);
        AssertHeld(run);
        AssertNotHeld(run, "LostWithObject", 20 * 2001, 20);
        AssertNotHeld(run, "LostWithWeakHandle", 2002, 1);
        AssertNotHeld(run, "LostWithSafeHandle", 20 * 2003, 20);
    }

    // Methods are replaced while they run, by code that the JIT makes in memory it has taken from malloc: where it is taken
    // again and not cleared, left-overs of it may point into a lost block.
    [Theory]
    [InlineData("DOTNET_gcServer", "0")]
    [InlineData("DOTNET_gcServer", "1")]
    public void Live_objects_hold_blocks_with_all_tiers_and_either_collector(string variable, string value)
    {
        var around = new Surroundings { Environment = new Dictionary<string, string?> { [variable] = value } };
        var run = CheckRun.Run(_folder, ["dotnet", Built.DotNetTarget("dotnet-leaks")], around);

        Assert.Equal("", run.Check.Notes);
        AssertHeld(run);
        AssertNotHeld(run, "LostWithObject", 20 * 2001, 20);
        AssertNotHeld(run, "LostWithWeakHandle", 2002, 1);
        AssertNotHeld(run, "LostWithSafeHandle", 20 * 2003, 20);
    }

    private static void AssertHeld(CheckRun run)
    {
        AssertAll(run, "reachable", "HeldBySafeHandle", 20 * 1001, 20);
        AssertAll(run, "reachable", "HeldByArray", 20 * 1002, 20);
        AssertAll(run, "reachable", "HeldByClosure", 20 * 1003, 20);
        AssertAll(run, "reachable", "HeldByStateMachine", 20 * 1004, 20);
        AssertAll(run, "reachable", "HeldByPinned", 1005, 1);
        AssertAll(run, "reachable", "HeldByStatic", 1006, 1);
    }

    private static void AssertNotHeld(CheckRun run, string function, long bytes, long blocks)
    {
        var found = run.Check.Of($"Program.{function}()", bytes / blocks);
        Assert.DoesNotContain("reachable", found.Keys);
        Assert.Equal((bytes, blocks), (found.Values.Sum(sum => sum.Bytes), found.Values.Sum(sum => sum.Blocks)));
        // A left-over word may point into one or another of them, which is then possibly lost.
        Assert.InRange(found.GetValueOrDefault("definite").Blocks, blocks * 4 / 5, blocks);
    }

    private static void AssertAll(CheckRun run, string kind, string function, long bytes, long blocks) => Assert.Equal(
        [KeyValuePair.Create(kind, (bytes, blocks))], run.Check.Of($"Program.{function}()", bytes / blocks));
}
