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
        var lowest = svg.Descendants().Where(item => item.Name.LocalName == "text").MaxBy(item => double.Parse(item.Attribute("y")!.Value, CultureInfo.InvariantCulture));
        Assert.StartsWith("0x5000", lowest!.Value.Trim(), StringComparison.Ordinal); // although a cycle leads up from it
    }

    [Fact]
    public void Without_Graphviz_every_arrow_but_a_cycles_points_down()
    {
        var svg = HolderPicture.Draw(Answer, null);

        var arrows = Arrow().Matches(svg).Select(match => (From: Number(match, 1), To: Number(match, 2))).ToList();
        Assert.Equal(6, arrows.Count);
        Assert.Equal(1, arrows.Count(arrow => arrow.From >= arrow.To));
    }

    // Five ways of six boxes that go through each other's rows, and one that goes from the top to the bottom.
    [Fact]
    public void Without_Graphviz_no_arrow_crosses_a_box_and_no_box_another()
    {
        var ways = Enumerable.Range(1, 5).Select(way => new HolderChain(
            GraphRootKind.StaticField, $"Shop.Desk.Root{way}",
            [.. Enumerable.Range(1, way).Select(i => Link((ulong)((way * 16) + i), $"Shop.Part{way}", i == 1 ? null : "next")), Link(0x5000, null, "handle")]));
        HolderChain straight = new(GraphRootKind.StaticField, "Shop.Desk.Root5", [Link((5 * 16) + 1, "Shop.Part5", null), Link(0x5000, null, "last")]);
        var svg = XDocument.Parse(HolderPicture.Draw(new HolderAnswer(Link(0x5000, null, null), [.. ways, straight], []), null));

        var boxes = svg.Descendants().Where(item => item.Name.LocalName == "rect").Skip(1).Select(item => (
            Left: Attribute(item, "x"), Top: Attribute(item, "y"), Right: Attribute(item, "x") + Attribute(item, "width"), Bottom: Attribute(item, "y") + Attribute(item, "height"))).ToList();
        var arrows = svg.Descendants().Where(item => item.Name.LocalName == "path").Select(item => item.Attribute("d")!.Value).Skip(1).ToList();
        Assert.Equal((21, 21), (boxes.Count, arrows.Count));
        Assert.All(boxes, box => Assert.DoesNotContain(boxes, other =>
            other != box && other.Left < box.Right && box.Left < other.Right && other.Top < box.Bottom && box.Top < other.Bottom));
        Assert.All(arrows.SelectMany(Along), at => Assert.DoesNotContain(boxes, box =>
            at.X > box.Left + 1 && at.X < box.Right - 1 && at.Y > box.Top + 1 && at.Y < box.Bottom - 1));

        static double Attribute(XElement item, string name) => double.Parse(item.Attribute(name)!.Value, CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Of_a_long_chain_both_ends_are_drawn()
    {
        HolderChain chain = new(GraphRootKind.StaticField, "Shop.First", [.. Enumerable.Range(1, 100_000).Select(i => Link((ulong)i * 16, "Shop.Node", i == 1 ? null : "next"))]);

        var svg = HolderPicture.Draw(new HolderAnswer(chain.Links[^1], [chain], []), null);

        Assert.Contains(">… 99,960 more …<", svg, StringComparison.Ordinal);
        Assert.Contains("0x10 ", svg, StringComparison.Ordinal);
        Assert.Contains("0x186a00 ", svg, StringComparison.Ordinal);
        Assert.Equal(42, Regex.Count(svg, "<title>"));
    }

    private static double Number(Match match, int group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    private static ChainLink Link(ulong address, string? type, string? via) => new(address, 40, type, via, -1, false);

    // Points along an arrow: of the curves eight each.
    private static IEnumerable<(double X, double Y)> Along(string path)
    {
        var at = (X: 0.0, Y: 0.0);
        foreach (Match piece in Piece().Matches(path))
        {
            var n = piece.Groups[2].Value.Split(' ').Select(word => double.Parse(word, CultureInfo.InvariantCulture)).ToArray();
            for (var i = 0; i <= 8; i++)
            {
                var (t, u) = (i / 8.0, 1 - (i / 8.0));
                yield return piece.Groups[1].Value switch
                {
                    "M" => (n[0], n[1]),
                    "L" => ((u * at.X) + (t * n[0]), (u * at.Y) + (t * n[1])),
                    _ => (Curve(at.X, n[0], n[2], n[4]), Curve(at.Y, n[1], n[3], n[5])),
                };

                double Curve(double a, double b, double c, double d) =>
                    (u * u * u * a) + (3 * u * u * t * b) + (3 * u * t * t * c) + (t * t * t * d);
            }

            at = (n[^2], n[^1]);
        }
    }

    [GeneratedRegex(@"d=""M[\d.-]+ ([\d.-]+)[^""]* ([\d.-]+)"" fill=""none""")]
    private static partial Regex Arrow();

    [GeneratedRegex(@"([MLC])([\d. -]+)")]
    private static partial Regex Piece();
}
