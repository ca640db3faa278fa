using System.Globalization;
using System.Xml.Linq;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using ScottPlot;
using SkiaSharp;

namespace NativeHeap.Present.Tests.Plots;

public sealed class GrowthPictureTests
{
    private const string Blue = "#ff0072b2", Orange = "#ffe69f00", White = "#ffffffff", Ink = "#ff222222", Red = "#ff7a0019";

    [Theory]
    [InlineData(1200, 675)]
    [InlineData(640, 400)]
    [InlineData(500, 900)]
    public void A_pixel_has_the_colour_of_the_area_that_lies_there(int width, int height)
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: null), width, height);
        using var image = Render(plot, width, height);
        Assert.Equal((width, height), (image.Width, image.Height));
        // leak grows by 6 MiB a second, cache lies on top with 20 MiB all the time.
        foreach (var seconds in new[] { 2.25, 5.25, 9.25 })
        {
            var (leak, both) = (6 * seconds, (6 * seconds) + 20);
            Assert.Equal(Blue, At(plot, image, seconds, (leak - 1.5) * (1 << 20)));
            Assert.Equal(Orange, At(plot, image, seconds, (leak + 1.5) * (1 << 20)));
            Assert.Equal(Orange, At(plot, image, seconds, (both - 1.5) * (1 << 20)));
        }
        Assert.Equal(White, At(plot, image, 2.25, (13.5 + 20 + 3) * (1 << 20)));
    }

    [Fact]
    public void The_peak_is_marked_where_it_was()
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: null), 1200, 675);
        using var image = Render(plot, 1200, 675);
        Assert.Equal(Ink, At(plot, image, 8, 90 << 20));
    }

    [Fact]
    public void Resident_memory_is_a_line_at_its_height()
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: 100 << 20), 1200, 675);
        using var image = Render(plot, 1200, 675);
        Assert.Equal(Red, At(plot, image, 5, 100 << 20));
        Assert.DoesNotContain("right axis", Words(plot), StringComparison.Ordinal);
    }

    [Fact]
    public void Resident_memory_far_above_the_heap_has_an_axis_of_its_own_so_that_the_heap_stays_readable()
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: 4L << 30), 1200, 675);
        using var image = Render(plot, 1200, 675);
        Assert.Equal(Blue, At(plot, image, 5.25, 15 << 20));
        Assert.InRange(plot.Axes.GetLimits().Top, 90 << 20, 120 << 20);
        Assert.InRange(plot.Axes.GetLimits(plot.Axes.Bottom, plot.Axes.Right).Top, 4.0 * (1 << 30), 5.0 * (1 << 30));
        Assert.Contains("RSS (right axis)", Words(plot), StringComparison.Ordinal);
    }

    [Fact]
    public void Words_name_the_command_the_stacks_the_peak_and_the_units()
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: 100 << 20), 1200, 675);
        var words = Words(plot);
        Assert.All(
            ["./server --port 8080", "leak (server)", "cache (server)", "peak 90.0 MiB", "RSS", "80 MiB", "10 s", "live native bytes", "time since start"],
            word => Assert.Contains(word, words, StringComparison.Ordinal));
    }

    [Fact]
    public void A_peak_that_is_known_within_bounds_is_shown_with_both()
    {
        var series = TwoAreas(rss: null);
        var open = series with { Peak = series.Peak with { LowBytes = 85 << 20, HighBytes = 95 << 20 } };
        using var plot = GrowthPicture.Draw(open, 1200, 675);
        Assert.Contains("peak 85.0 MiB to 95.0 MiB", Words(plot), StringComparison.Ordinal);
    }

    [Fact]
    public void An_estimated_peak_says_so()
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: null) with { IsExact = false }, 1200, 675);
        Assert.Contains("peak ~90.0 MiB", Words(plot), StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_command_is_cut_and_the_picture_is_not()
    {
        var series = TwoAreas(rss: null) with { Title = "./server " + new string('x', 5000) };
        using var plot = GrowthPicture.Draw(series, 800, 450);
        Assert.Contains("./server xxx", Words(plot, 800, 450), StringComparison.Ordinal);
        Assert.Contains("x…x", Words(plot, 800, 450), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1200, 675)]
    [InlineData(500, 900)]
    public void The_legend_stands_outside_the_data(int width, int height)
    {
        using var plot = GrowthPicture.Draw(TwoAreas(rss: null), width, height);
        var texts = Texts(plot, width, height).Where(text => text.Value.Contains("(server)", StringComparison.Ordinal)).ToList();
        var data = plot.RenderManager.LastRender.DataRect;
        Assert.Equal(2, texts.Count);
        foreach (var text in texts)
        {
            var at = text.Attribute("transform")!.Value["translate(".Length..^1].Split(' ');
            var (x, y) = (float.Parse(at[0], CultureInfo.InvariantCulture), float.Parse(at[1], CultureInfo.InvariantCulture));
            Assert.True(x > data.Right || y > data.Bottom, $"{x}, {y} is within {data}");
        }
        Assert.True(data.Width > width * 0.4 && data.Height > height * 0.4, $"{data} of {width} x {height}");
    }

    private static GrowthSeries TwoAreas(long? rss)
    {
        var seconds = Enumerable.Range(1, 10).ToArray();
        return new GrowthSeries
        {
            Title = "./server --port 8080",
            EndNs = 10_000_000_000,
            AreaTimesNs = [1, .. seconds.Select(s => s * 1_000_000_000L)],
            Areas =
            [
                new GrowthArea("leak (server)", [0, .. seconds.Select(s => s * (6L << 20))]),
                new GrowthArea("cache (server)", [20L << 20, .. seconds.Select(_ => 20L << 20)]),
            ],
            Points =
            [
                new TimelinePoint(1, 20 << 20, 20 << 20, rss),
                .. seconds.Select(s => new TimelinePoint(
                    s * 1_000_000_000L, (20 + (6L * s)) << 20, (s == 8 ? 90L : 20 + (6L * s)) << 20, rss)),
            ],
            Peak = new Peak { TimeNs = 8_000_000_000, Bytes = 90 << 20, LowBytes = 90 << 20, HighBytes = 90 << 20 },
        };
    }

    private static SKBitmap Render(Plot plot, int width, int height) =>
        SKBitmap.Decode(plot.GetImageBytes(width, height, ImageFormat.Png));

    private static string At(Plot plot, SKBitmap image, double seconds, double bytes)
    {
        var pixel = plot.GetPixel(new Coordinates(seconds * 1e9, bytes));
        return image.GetPixel((int)pixel.X, (int)pixel.Y).ToString();
    }

    private static string Words(Plot plot, int width = 1200, int height = 675) =>
        string.Join('\n', Texts(plot, width, height).Select(text => text.Value.Trim()));

    private static IEnumerable<XElement> Texts(Plot plot, int width, int height)
    {
        XNamespace svg = "http://www.w3.org/2000/svg";
        return XDocument.Parse(plot.GetSvgXml(width, height)).Descendants(svg + "text");
    }
}
