using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using NativeHeap.Graph.Objects;
using NativeHeap.Present.Plots;

namespace NativeHeap.Present.Tests.Plots;

public sealed partial class HolderPictureTests
{
    private const string Hostile = "Evil<\"&\\n\x1b>";

    private static readonly HolderAnswer Answer = new(
        Link(0x5000, null, null),
        [
            new(GraphRootKind.StaticField, "Shop.Desk.Orders", [Link(0x1000, "System.Collections.Generic.List<Shop.Order>", null), Link(0x2000, Hostile, "_items"), Link(0x5000, null, "handle")]),
            new(GraphRootKind.ThreadStack, "main, thread 7", [Link(0x3000, "Shop.Ring", null) with { IsInCycle = true }, Link(0x2000, Hostile, "next"), Link(0x5000, null, "handle")]),
        ],
        []);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_drawing_shows_every_box_once_and_the_field_on_each_arrow(bool byGraphviz)
    {
        var graphviz = HolderPicture.FindGraphviz();
        Assert.SkipUnless(!byGraphviz || graphviz is not null, "Graphviz is not installed");

        var svg = XDocument.Parse(HolderPicture.Draw(Answer, byGraphviz ? graphviz : null));

        var texts = svg.Descendants().Where(item => item.Name.LocalName == "text").Select(item => item.Value.Trim().Replace('\u00a0', ' ')).ToList();
        Assert.Equal(byGraphviz ? "Generated" : "", svg.DescendantNodes().OfType<XComment>().Any(text => text.Value.Contains("graphviz", StringComparison.Ordinal)) ? "Generated" : "");
        Assert.Equal(5, texts.Count(text => text is "List<Order>" or "Ring" or "native block" or "Shop.Desk.Orders" or "main, thread 7"));
        Assert.Equal(1, texts.Count(text => text.StartsWith("0x2000", StringComparison.Ordinal)));
        Assert.Equal(1, texts.Count(text => text.StartsWith("Evil<\"&", StringComparison.Ordinal)));
        Assert.Equal(1, texts.Count(text => text == "_items"));
        Assert.Equal(1, texts.Count(text => text == "next"));
        Assert.Equal(1, texts.Count(text => text == "handle")); // both chains share it
        Assert.Equal(1, texts.Count(text => text == "cycle"));
    }

    [Fact]
    public void Without_Graphviz_every_arrow_but_a_cycles_points_down()
    {
        var svg = HolderPicture.Draw(Answer, null);

        var arrows = Arrow().Matches(svg).Select(match => (From: Number(match, 1), To: Number(match, 2))).ToList();
        Assert.Equal(6, arrows.Count);
        Assert.Equal(1, arrows.Count(arrow => arrow.From >= arrow.To));
    }

    private static double Number(Match match, int group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    private static ChainLink Link(ulong address, string? type, string? via) => new(address, 40, type, via, -1, false);

    [GeneratedRegex(@"d=""M[\d.]+ ([\d.]+)Q[\d.-]+ [\d.]+ [\d.]+ ([\d.]+)""")]
    private static partial Regex Arrow();
}
