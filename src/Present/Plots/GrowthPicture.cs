using NativeHeap.Model;
using ScottPlot;

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

    /// <summary>The picture as a plot; the caller disposes it.</summary>
    /// <param name="series">What to show; at most a few thousand points, or drawing takes long.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="height">Pixels.</param>
    /// <param name="theme">Colours; null: light.</param>
    public static Plot Draw(GrowthSeries series, int width, int height, PictureTheme? theme = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(series.Points.Count);
        theme ??= PictureTheme.Light;
        var plot = theme.NewPlot();

        var lastTime = Math.Max(1.0, Math.Max(series.EndNs, series.Points[^1].TimeNs));
        var highest = Math.Max(1.0, Math.Max(series.Points.Max(point => point.LivePeakBytes), series.Peak.HighBytes));
        var rssHighest = (double)(series.Points.Max(point => point.RssBytes) ?? 0);
        var apart = rssHighest > ApartFrom * highest;

        var legend = AddAreas(plot, series, theme);
        legend.Insert(0, AddHighLine(plot, series, theme));
        if (AddRss(plot, series, apart, theme) is { } rss)
        {
            legend.Insert(0, rss);
        }
        if (series.Second is { } second)
        {
            legend.Insert(0, AddSecond(plot, second.Label, second.Points, theme));
        }
        var top = apart ? highest : Math.Max(highest, rssHighest);
        var frame = new PictureFrame(plot, theme, width, height);
        frame.SetAxes(lastTime, top, series.Quantity);
        if (apart)
        {
            frame.SetRightAxis(rssHighest, "resident bytes (RSS)", frame.ByteTicks(rssHighest * PictureFrame.Above));
        }
        if (series.Pauses.Count > 0)
        {
            legend.Add(AddPauses(plot, series.Pauses, top, theme));
        }
        AddChanges(plot, series, top, theme);
        if (series.MarksPeak)
        {
            AddPeak(plot, series, lastTime, theme);
        }
        frame.SetTitle(series.Title, series.Remark, frame.SetLegend(legend));
        return plot;
    }

    // The largest area lies at the bottom, where its growth is easiest to see, the rest on top.
    private static List<LegendItem> AddAreas(Plot plot, GrowthSeries series, PictureTheme theme)
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
            fill.FillColor = area.IsRest ? theme.Rest : PictureTheme.Areas[legend.Count % PictureTheme.Areas.Count];
            fill.LineColor = theme.Paper;
            fill.LineWidth = 0.5f;
            fill.MarkerSize = 0;
            legend.Insert(0, new LegendItem { LabelText = area.Label, FillColor = fill.FillColor });
            bottom = top;
        }
        return legend;
    }

    private static LegendItem AddHighLine(Plot plot, GrowthSeries series, PictureTheme theme)
    {
        double[] times = [0, .. series.Points.Select(point => point.TimeNs)];
        double[] bytes = [0, .. series.Points.Select(point => point.LivePeakBytes)];
        return AddLine(plot, times, bytes, (theme.Ink, 1), series.LineLabel).Item;
    }

    private static LegendItem? AddRss(Plot plot, GrowthSeries series, bool apart, PictureTheme theme)
    {
        var looks = series.Points.Where(point => point.RssBytes is not null).ToArray();
        if (looks.Length == 0)
        {
            return null;
        }
        double[] times = [.. looks.Select(point => point.TimeNs)];
        double[] bytes = [.. looks.Select(point => point.RssBytes!.Value)];
        var (line, item) = AddLine(plot, times, bytes, (theme.Second, 2), apart ? "RSS (right axis)" : "RSS");
        if (apart)
        {
            line.Axes.YAxis = plot.Axes.Right;
        }
        return item;
    }

    private static LegendItem AddSecond(
        Plot plot, string label, IReadOnlyList<(long TimeNs, long Bytes)> points, PictureTheme theme)
    {
        var shown = Bins(points.Select(point => (point.TimeNs, point.Bytes)));
        return AddLine(
            plot, [.. shown.Select(point => (double)point.TimeNs)], [.. shown.Select(point => (double)point.Value)],
            (theme.Second, 2), label).Item;
    }

    // A tick upwards from the axis for each, the longest a fifth of the height: where there are more than can be seen, the
    // longest of each moment.
    private static LegendItem AddPauses(Plot plot, IReadOnlyList<GcPause> pauses, double top, PictureTheme theme)
    {
        const double share = 0.2;
        var longest = Math.Max(1, pauses.Max(pause => pause.DurationNs));
        foreach (var (time, duration) in Bins(pauses.Select(pause => (pause.TimeNs, pause.DurationNs))))
        {
            var tick = plot.Add.Line(time, 0, time, top * share * duration / longest);
            tick.LineColor = theme.Ink;
            tick.LineWidth = 1.5f;
        }
        var sum = pauses.Sum(pause => (double)pause.DurationNs);
        return new LegendItem
        {
            LabelText = $"{Words.Count(pauses.Count, "GC pause")}, {Words.Duration((long)sum)} in all, longest {Words.Duration(longest)}",
            LineColor = theme.Ink,
            LineWidth = 1.5f,
        };
    }

    // The first ones: where there are more, somebody plays with it.
    internal static void AddChanges(Plot plot, GrowthSeries series, double top, PictureTheme theme)
    {
        const int most = 16;
        foreach (var (time, label) in series.Changes.Take(most))
        {
            var line = plot.Add.VerticalLine(time);
            line.LineColor = theme.Ink;
            line.LineWidth = 1;
            line.LinePattern = LinePattern.Dashed;
            var text = plot.Add.Text(label, time, top);
            var left = time < Math.Max(series.EndNs, series.Points[^1].TimeNs) / 2;
            text.LabelAlignment = left ? Alignment.UpperLeft : Alignment.UpperRight;
            text.OffsetX = left ? 4 : -4;
            text.LabelFontColor = theme.Ink;
            text.LabelBackgroundColor = theme.Paper.WithAlpha(0.75);
        }
    }

    private static List<(long TimeNs, long Value)> Bins(IEnumerable<(long TimeNs, long Value)> points)
    {
        var all = points.ToList();
        if (all.Count <= MostPoints)
        {
            return all;
        }
        var width = Math.Max(1, (all[^1].TimeNs / MostPoints) + 1);
        return [.. all.GroupBy(point => point.TimeNs / width).Select(bin => bin.MaxBy(point => point.Value))];
    }

    internal static (ScottPlot.Plottables.Scatter Line, LegendItem Item) AddLine(
        Plot plot, double[] times, double[] bytes, (Color Color, float Width) pen, string label)
    {
        var line = plot.Add.ScatterLine(times, bytes);
        line.Color = pen.Color;
        line.LineWidth = pen.Width;
        return (line, new LegendItem { LabelText = label, LineColor = pen.Color, LineWidth = pen.Width });
    }

    private static void AddPeak(Plot plot, GrowthSeries series, double lastTime, PictureTheme theme)
    {
        var marker = plot.Add.Marker(Math.Min(series.Peak.TimeNs, lastTime), series.Peak.Bytes);
        marker.Shape = MarkerShape.FilledCircle;
        marker.Size = 9;
        marker.Color = theme.Ink;
        var text = plot.Add.Text(PeakText(series), marker.X, marker.Y);
        var left = marker.X < lastTime / 2;
        text.LabelAlignment = left ? Alignment.LowerLeft : Alignment.LowerRight;
        text.OffsetX = left ? 4 : -4;
        text.OffsetY = -5;
        text.LabelFontColor = theme.Ink;
        text.LabelBackgroundColor = theme.Paper.WithAlpha(0.75);
        text.LabelBold = true;
    }

    private static string PeakText(GrowthSeries series)
    {
        var peak = series.Peak;
        var about = Figures.Mark(series.IsExact);
        var (low, high) = (Ticks.Amount(peak.LowBytes), Ticks.Amount(peak.HighBytes));
        return peak.IsExact || low == high
            ? $"peak {about}{Ticks.Amount(peak.Bytes)}"
            : $"peak {about}{low} to {high}";
    }
}
