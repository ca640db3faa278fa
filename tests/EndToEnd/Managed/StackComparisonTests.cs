namespace NativeHeap.EndToEnd.Managed;

/// <summary>The comparison that the truth test rests on sees what it is there to see.</summary>
public sealed class StackComparisonTests
{
    private static readonly TrueMethod s_probe = new("a.dll", 1, "T", "Probe", false);
    private static readonly TrueMethod s_caller = new("a.dll", 2, "T", "Caller", false);
    private static readonly TrueMethod s_main = new("a.dll", 3, "T", "Main", false);
    private static readonly TrueBlock s_truth = new(16, "recursion", [new(s_probe, 5), new(s_caller, 6), new(s_main, 7)]);

    private static readonly CapturedFrame s_unknown = new("native", "", 0, "", "", null, 0, 4096);

    [Fact]
    public void Equal_stacks_are_equal()
    {
        var comparison = Compare(s_truth, Frame(s_probe, 9), Frame(s_caller, 6), Frame(s_main, 7));
        Assert.Equal((false, 1, 3L), (comparison.Failed, comparison.Equal, comparison.Frames));
    }

    [Fact]
    public void A_missing_caller_fails() => Assert.True(Compare(s_truth, Frame(s_probe, 5), Frame(s_main, 7)).Failed);

    [Fact]
    public void A_missing_root_fails() => Assert.True(Compare(s_truth, Frame(s_probe, 5), Frame(s_caller, 6)).Failed);

    [Fact]
    public void Another_call_of_the_same_caller_fails() =>
        Assert.True(Compare(s_truth, Frame(s_probe, 5), Frame(s_caller, 8), Frame(s_main, 7)).Failed);

    [Fact]
    public void A_frame_that_nothing_explains_fails() => Assert.True(
        Compare(s_truth, Frame(s_probe, 5), Frame(s_caller, 6), Frame(s_caller, 6), Frame(s_main, 7)).Failed);

    [Fact]
    public void A_frame_that_nobody_knows_fails() => Assert.True(
        Compare(s_truth, Frame(s_probe, 5), s_unknown, Frame(s_main, 7)).Failed);

    [Fact]
    public void A_handler_in_a_context_without_exceptions_fails()
    {
        CapturedFrame[] frames = [Frame(s_probe, 5), Frame(s_caller, 50), Frame(s_caller, 6), Frame(s_main, 7)];
        Assert.True(Compare(s_truth, frames).Failed);
        Assert.False(Compare(s_truth with { Kind = "catch block" }, frames).Failed);
    }

    [Fact]
    public void A_stack_that_ended_early_fails()
    {
        var comparison = new StackComparison();
        comparison.Add(s_truth, new CapturedStack([Frame(s_probe, 5), Frame(s_caller, 6), Frame(s_main, 7)], [65]));
        Assert.True(comparison.Failed);
    }

    [Fact]
    public void A_block_that_is_not_in_the_trace_fails()
    {
        var comparison = new StackComparison();
        comparison.Add(s_truth, null);
        Assert.True(comparison.Failed);
    }

    private static StackComparison Compare(TrueBlock truth, params CapturedFrame[] frames)
    {
        var comparison = new StackComparison();
        comparison.Add(truth, new CapturedStack(frames, []));
        return comparison;
    }

    private static CapturedFrame Frame(TrueMethod method, int offset) =>
        new("managed", method.Module, method.Token, method.Type, method.Name, "tier0", offset, 4096 + offset);
}
