using NativeHeap.Graph.Objects;

namespace NativeHeap.Present.Tests;

public sealed class HoldersTextTests
{
    [Theory]
    [InlineData(40, null)]
    [InlineData(41, "     … 1 more …")]
    [InlineData(100_000, "     … 99,960 more …")]
    public void Of_a_long_chain_both_ends_are_written_and_how_many_links_are_between(int links, string? between)
    {
        HolderChain chain = new(
            GraphRootKind.StaticField, "Shop.First",
            [.. Enumerable.Range(1, links).Select(i => new ChainLink((ulong)i * 16, 40, "Shop.Node", i == 1 ? null : "next", -1, false))]);
        var text = new StringWriter();

        HoldersText.Write(new TextCanvas(text, null, false), new HolderAnswer(chain.Links[^1], [chain], []), null);

        var lines = text.ToString().Split('\n').SkipWhile(line => !line.StartsWith("1. ", StringComparison.Ordinal)).Skip(1).SkipLast(1).ToList();
        Assert.Equal(between, lines.SingleOrDefault(line => line.Contains('…', StringComparison.Ordinal)));
        lines.RemoveAll(line => line == between);
        var shown = Enumerable.Range(1, 20).Concat(Enumerable.Range(links - 19, 20));
        Assert.Equal(shown.Select(i => $"   → {(i == 1 ? "" : "next ")}Shop.Node 0x{i * 16:x} 40 B"), lines);
    }
}
