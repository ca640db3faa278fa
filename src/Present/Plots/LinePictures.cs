using NativeHeap.Analysis;
using ScottPlot;

namespace NativeHeap.Present.Plots;

/// <summary>Pictures of lines over time: live bytes with the rate of allocation, and two traces in one.</summary>
public static class LinePictures
{
    private const double Second = 1e9;

    /// <summary>Live bytes at the left axis, bytes allocated a second at the right one.</summary>
    /// <param name="series">What to show.</param>
    /// <param name="size">Pixels.</param>
    /// <param name="theme">Colours.</param>
    /// <returns>The plot; the caller disposes it.</returns>
    public static Plot LiveAndRate(GrowthSeries series, (int Width, int Height) size, PictureTheme theme)
    {
        ArgumentNullException.ThrowIfNull(series);
        ArgumentNullException.ThrowIfNull(theme);
        var plot = theme.NewPlot();
        var frame = new PictureFrame(plot, theme, size.Width, size.Height);
        var (times, rates) = Rates(series.Points);
        var rate = plot.Add.ScatterLine(times, rates);
        rate.Color = theme.Second;
        rate.LineWidth = 1;
        rate.Axes.YAxis = plot.Axes.Right;
        var live = AddLive(plot, series, PictureTheme.Areas[0], "live, most at any moment");
        var top = Math.Max(1, rates.Max());
        frame.SetAxes(EndOf(series), TopOf(series), series.Quantity);
        frame.SetRightAxis(top, "bytes allocated a second", frame.ByteTicks(top * PictureFrame.Above));
        GrowthPicture.AddChanges(plot, series, TopOf(series), theme);
        LegendItem[] legend = [live, new() { LabelText = "allocated a second (right axis)", LineColor = theme.Second, LineWidth = 1 }];
        frame.SetTitle(series.Title, series.Remark, frame.SetLegend(legend));
        return plot;
    }

    /// <summary>Live bytes of two traces over the time since each began.</summary>
    /// <param name="before">The first, with its name.</param>
    /// <param name="after">The second.</param>
    /// <param name="size">Pixels.</param>
    /// <param name="theme">Colours.</param>
    /// <returns>The plot; the caller disposes it.</returns>
    public static Plot Compare(
        (string Name, GrowthSeries Series) before,
        (string Name, GrowthSeries Series) after,
        (int Width, int Height) size,
        PictureTheme theme)
    {
        ArgumentNullException.ThrowIfNull(theme);
        var plot = theme.NewPlot();
        var frame = new PictureFrame(plot, theme, size.Width, size.Height);
        var legend = new List<LegendItem>();
        foreach (var ((name, series), colour) in new[] { (before, PictureTheme.Areas[0]), (after, PictureTheme.Areas[5]) })
        {
            legend.Add(AddLive(plot, series, colour, $"{name}: peak {Ticks.Amount(series.Peak.Bytes)}, end {Ticks.Amount(series.Points[^1].LiveBytes)}"));
        }

        frame.SetAxes(
            Math.Max(EndOf(before.Series), EndOf(after.Series)), Math.Max(TopOf(before.Series), TopOf(after.Series)), before.Series.Quantity);
        var remarks = new[] { before.Series.Remark, after.Series.Remark }.OfType<string>().Distinct().ToList();
        frame.SetTitle(
            $"{before.Name} and {after.Name}", remarks.Count == 0 ? null : string.Join("; ", remarks), frame.SetLegend(legend));
        return plot;
    }

    private static LegendItem AddLive(Plot plot, GrowthSeries series, Color colour, string label) => GrowthPicture.AddLine(
        plot,
        [0, .. series.Points.Select(point => (double)point.TimeNs)],
        [0, .. series.Points.Select(point => (double)point.LivePeakBytes)],
        (colour, 2),
        label).Item;

    private static double EndOf(GrowthSeries series) => Math.Max(1.0, Math.Max(series.EndNs, series.Points[^1].TimeNs));

    private static double TopOf(GrowthSeries series) => Math.Max(1.0, series.Points.Max(point => point.LivePeakBytes));

    // Steps: what was allocated between two points, spread over the time between them.
    private static (double[] Times, double[] Rates) Rates(IReadOnlyList<TimelinePoint> points)
    {
        var times = new List<double>();
        var rates = new List<double>();
        var (lastNs, lastBytes) = (0L, 0L);
        foreach (var point in points)
        {
            if (point.TimeNs <= lastNs)
            {
                continue;
            }

            var rate = (point.AllocatedBytes - lastBytes) / ((point.TimeNs - lastNs) / Second);
            times.AddRange([lastNs, point.TimeNs]);
            rates.AddRange([rate, rate]);
            (lastNs, lastBytes) = (point.TimeNs, point.AllocatedBytes);
        }

        return times.Count == 0 ? ([0], [0]) : ([.. times], [.. rates]);
    }
}
