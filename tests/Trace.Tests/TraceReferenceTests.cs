namespace NativeHeap.Trace.Tests;

public sealed class TraceReferenceTests
{
    [Theory]
    [InlineData("a.nheap", "a.nheap", null)]
    [InlineData("a.nheap@before", "a.nheap", "before")]
    [InlineData("a.nheap@1", "a.nheap", "1")]
    [InlineData("a.nheap@peak", "a.nheap", "peak")]
    [InlineData("dir@home/a.nheap", "dir@home/a.nheap", null)]
    [InlineData("dir@home/a.nheap@end", "dir@home/a.nheap", "end")]
    [InlineData("@file", "@file", null)]
    [InlineData("dir/@file", "dir/@file", null)]
    public void The_last_at_sign_of_the_file_name_separates(string text, string path, string? moment)
    {
        Assert.Equal(new TraceReference(path, moment), TraceReference.Parse(text, _ => false));
    }

    [Fact]
    public void A_file_of_the_whole_name_wins()
    {
        Assert.Equal(new TraceReference("a@b", null), TraceReference.Parse("a@b", path => path == "a@b"));
    }

    [Theory]
    [InlineData("a@12", 12)]
    [InlineData("a@+1", null)]
    [InlineData("a@peak", null)]
    [InlineData("a@99999999999", null)]
    public void Only_plain_digits_are_a_snapshot_number(string text, int? number)
    {
        Assert.Equal(number, TraceReference.Parse(text, _ => false).SnapshotNumber);
    }
}
