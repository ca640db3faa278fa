using ScottPlot;
using ScottPlot.TickGenerators;

namespace NativeHeap.Present.Plots;

/// <summary>
/// Draws heap growth: live bytes as stacked areas, the most at any moment as a line, the peak marked, resident memory as
/// another line. The legend stands outside the data, in the order of the stacked areas.
/// </summary>
public static class GrowthPicture
{
    /// <summary>Points along time that a picture needs at most.</summary>
    public const int MostPoints = 2000;

    /// <summary>Areas with a colour of their own; the rest shares one.</summary>
    public const int MostAreas = 7;

    // Beyond this ratio of resident to live bytes the areas would be too flat to read on one axis.
    private const double ApartFrom = 4;

    private const float TitleSize = 16;
    private const float LegendSize = 12;

    // Okabe and Ito, "Color Universal Design" (2008): told apart with any kind of colour vision.
    private static readonly Color[] s_palette =
    [
        Color.FromHex("#0072B2"), Color.FromHex("#E69F00"), Color.FromHex("#009E73"), Color.FromHex("#CC79A7"),
        Color.FromHex("#56B4E9"), Color.FromHex("#D55E00"), Color.FromHex("#F0E442"),
    ];

    private static readonly Color s_rest = Color.FromHex("#BDBDBD");
    private static readonly Color s_ink = Color.FromHex("#222222");
    private static readonly Color s_rss = Color.FromHex("#7A0019");

    /// <summary>The picture as a plot; the caller disposes it.</summary>
    /// <param name="series">What to show; at most a few thousand points, or drawing takes long.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="height">Pixels.</param>
    public static Plot Draw(GrowthSeries series, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfZero(series.Points.Count);
        PictureFonts.Use();
        var plot = new Plot();
        plot.FigureBackground.Color = Colors.White;
        plot.DataBackground.Color = Colors.White;
        plot.Axes.Color(s_ink);

        var lastTime = Math.Max(1.0, Math.Max(series.EndNs, series.Points[^1].TimeNs));
        var highest = Math.Max(1.0, Math.Max(series.Points.Max(point => point.LivePeakBytes), series.Peak.HighBytes));
        var rssHighest = (double)(series.Points.Max(point => point.RssBytes) ?? 0);
        var apart = rssHighest > ApartFrom * highest;

        var legend = AddAreas(plot, series);
        legend.Insert(0, AddHighLine(plot, series));
        if (AddRss(plot, series, apart) is { } rss)
        {
            legend.Insert(0, rss);
        }
        var top = apart ? highest : Math.Max(highest, rssHighest);
        SetAxes(plot, lastTime, top, apart ? rssHighest : null, (width, height));
        AddPeak(plot, series, lastTime);
        var besides = width >= 1.2 * height && width >= 800;
        SetLegend(plot, legend, besides);
        SetTitle(plot, series, width - (besides ? legend.Max(item => PictureFonts.Width(item.LabelText, LegendSize, bold: false)) : 0));
        return plot;
    }

    // The largest area lies at the bottom, where its growth is easiest to see, the rest on top.
    private static List<LegendItem> AddAreas(Plot plot, GrowthSeries series)
    {
        double[] times = [0, .. series.AreaTimesNs];
        var bottom = new double[times.Length];
        var legend = new List<LegendItem>();
        foreach (var area in series.Areas)
        {
            double[] top = [0, .. area.Bytes];
            for (var i = 0; i < top.Length; i++)
            {
                top[i] += bottom[i];
            }
            var fill = plot.Add.FillY(times, bottom, top);
            fill.FillColor = area.IsRest ? s_rest : s_palette[legend.Count % s_palette.Length];
            fill.LineColor = Colors.White;
            fill.LineWidth = 0.5f;
            fill.MarkerSize = 0;
            legend.Insert(0, new LegendItem { LabelText = area.Label, FillColor = fill.FillColor });
            bottom = top;
        }
        return legend;
    }

    private static LegendItem AddHighLine(Plot plot, GrowthSeries series)
    {
        double[] times = [0, .. series.Points.Select(point => point.TimeNs)];
        double[] bytes = [0, .. series.Points.Select(point => point.LivePeakBytes)];
        return AddLine(plot, times, bytes, (s_ink, 1), "live, most at any moment").Item;
    }

    private static LegendItem? AddRss(Plot plot, GrowthSeries series, bool apart)
    {
        var looks = series.Points.Where(point => point.RssBytes is not null).ToArray();
        if (looks.Length == 0)
        {
            return null;
        }
        double[] times = [.. looks.Select(point => point.TimeNs)];
        double[] bytes = [.. looks.Select(point => point.RssBytes!.Value)];
        var (line, item) = AddLine(plot, times, bytes, (s_rss, 2), apart ? "RSS (right axis)" : "RSS");
        if (apart)
        {
            line.Axes.YAxis = plot.Axes.Right;
        }
        return item;
    }

    private static (ScottPlot.Plottables.Scatter Line, LegendItem Item) AddLine(
        Plot plot, double[] times, double[] bytes, (Color Color, float Width) pen, string label)
    {
        var line = plot.Add.ScatterLine(times, bytes);
        line.Color = pen.Color;
        line.LineWidth = pen.Width;
        return (line, new LegendItem { LabelText = label, LineColor = pen.Color, LineWidth = pen.Width });
    }

    private static void SetAxes(Plot plot, double lastTime, double top, double? rightTop, (int Width, int Height) size)
    {
        // A little room for the peak's mark and its words.
        const double Above = 1.12;
        const double Beyond = 1.01;
        plot.Axes.SetLimits(0, lastTime * Beyond, 0, top * Above);
        plot.Axes.Bottom.TickGenerator = Manual(Ticks.Time(lastTime, Math.Clamp(size.Width / 110, 3, 12)));
        var rows = Math.Clamp(size.Height / 55, 3, 9);
        plot.Axes.Left.TickGenerator = Manual(Ticks.Bytes(top * Above, rows));
        plot.YLabel("live native bytes");
        plot.XLabel("time since start");
        plot.Axes.Right.MinimumSize = 40; // half of the last tick's words
        if (rightTop is { } right)
        {
            plot.Axes.SetLimitsY(0, right * Above, plot.Axes.Right);
            plot.Axes.Right.TickGenerator = Manual(Ticks.Bytes(right * Above, rows));
            plot.Axes.Right.Label.Text = "resident bytes (RSS)";
            plot.Axes.Right.Label.ForeColor = s_rss;
            plot.Axes.Right.TickLabelStyle.ForeColor = s_rss;
        }
        plot.Grid.MajorLineColor = s_ink.WithAlpha(0.12);
    }

    private static NumericManual Manual(IReadOnlyList<Tick> ticks) =>
        new([.. ticks.Select(tick => tick.Position)], [.. ticks.Select(tick => tick.Label)]);

    private static void AddPeak(Plot plot, GrowthSeries series, double lastTime)
    {
        var marker = plot.Add.Marker(Math.Min(series.Peak.TimeNs, lastTime), series.Peak.Bytes);
        marker.Shape = MarkerShape.FilledCircle;
        marker.Size = 9;
        marker.Color = s_ink;
        var text = plot.Add.Text(PeakText(series), marker.X, marker.Y);
        var left = marker.X < lastTime / 2;
        text.LabelAlignment = left ? Alignment.LowerLeft : Alignment.LowerRight;
        text.OffsetX = left ? 4 : -4;
        text.OffsetY = -5;
        text.LabelFontColor = s_ink;
        text.LabelBackgroundColor = Colors.White.WithAlpha(0.75);
        text.LabelBold = true;
    }

    private static string PeakText(GrowthSeries series)
    {
        var peak = series.Peak;
        var about = series.IsExact ? "" : "about ";
        return peak.IsExact
            ? $"peak {about}{Ticks.Amount(peak.Bytes)}"
            : $"peak {about}{Ticks.Amount(peak.LowBytes)} to {Ticks.Amount(peak.HighBytes)}";
    }

    // The title stands in the middle of the data, so it may be as wide as those and a little more.
    private static void SetTitle(Plot plot, GrowthSeries series, float room)
    {
        const float Axis = 90;
        var pixels = Math.Max(room - (2 * Axis), Axis);
        var title = Fit(series.Title, pixels);
        plot.Title(series.Remark is null ? title : title + "\n" + Fit(series.Remark, pixels), TitleSize);
    }

    private static string Fit(string text, float pixels)
    {
        var letters = Math.Min(text.Length, 400);
        while (letters > 8 && PictureFonts.Width(Labels.Shorten(text, letters), TitleSize, bold: true) > pixels)
        {
            letters--;
        }
        return Labels.Shorten(text, letters);
    }

    private static void SetLegend(Plot plot, List<LegendItem> items, bool besides)
    {
        var legend = plot.ShowLegend(besides ? Edge.Right : Edge.Bottom).Legend;
        foreach (var item in items)
        {
            item.LabelFontSize = LegendSize;
            item.LabelFontColor = s_ink;
            legend.ManualItems.Add(item);
        }
        legend.OutlineWidth = 0;
        legend.ShadowColor = Colors.Transparent;
        legend.BackgroundColor = Colors.White;
        legend.Orientation = Orientation.Vertical;
    }
}
