using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Trace;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace NativeHeap.Present.Plots;

/// <summary>
/// Blocks by size or by lifetime, two bars for each power of two: its share of all blocks, and of all bytes.
/// </summary>
public static class HistogramPicture
{
    private const double BarWidth = 0.4;

    /// <summary>Draws.</summary>
    /// <param name="profile">The trace.</param>
    /// <param name="kind">What blocks are counted by.</param>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    /// <param name="size">Pixels.</param>
    /// <param name="theme">Colours.</param>
    /// <returns>The plot; the caller disposes it.</returns>
    /// <exception cref="ToolException">There is no block to count (exit code 4), or no such pid (2).</exception>
    public static Plot Draw(
        Profile profile, HistogramKind kind, int? pid, (int Width, int Height) size, PictureTheme theme)
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(theme);
        var bars = profile.Histogram(kind, pid);
        var used = bars.Where(bar => bar.Blocks > 0).Select(bar => bar.Bucket).ToList();
        if (used.Count == 0)
        {
            throw new ToolException($"{profile.Path} holds nothing to draw: no block of it counts", ExitCodes.Input);
        }

        var (first, last) = (used[0], used[^1]);
        var (blocks, bytes) = (bars.Sum(bar => bar.Blocks), Math.Max(1, bars.Sum(bar => bar.Bytes)));
        var plot = theme.NewPlot();
        var frame = new PictureFrame(plot, theme, size.Width, size.Height);
        var legend = new List<LegendItem>();
        foreach (var (label, shift, colour, share) in new (string, double, Color, Func<HistogramBar, double>)[]
        {
            ($"share of {Words.Count(blocks, "block")}", -BarWidth / 2, PictureTheme.Areas[0], bar => 100.0 * bar.Blocks / blocks),
            ($"share of {Ticks.Amount(bytes)}", BarWidth / 2, PictureTheme.Areas[1], bar => 100.0 * bar.Bytes / bytes),
        })
        {
            plot.Add.Bars(bars.Where(bar => bar.Bucket >= first && bar.Bucket <= last).Select(bar => new Bar
            {
                Position = bar.Bucket + shift,
                Value = share(bar),
                Size = BarWidth,
                FillColor = colour,
                LineWidth = 0,
            }).ToArray());
            legend.Add(new LegendItem { LabelText = label, FillColor = colour });
        }

        var highest = bars.Max(bar => Math.Max(100.0 * bar.Blocks / blocks, 100.0 * bar.Bytes / bytes));
        plot.Axes.SetLimits(first - 0.8, last + 0.8, 0, highest * PictureFrame.Above);
        plot.Axes.Bottom.TickGenerator = Buckets(first, last, kind, Math.Max(3, size.Width / 80));
        plot.Axes.Left.TickGenerator = new NumericAutomatic { LabelFormatter = value => string.Create(CultureInfo.InvariantCulture, $"{value:0.##} %") };
        plot.YLabel("share");
        plot.XLabel(kind == HistogramKind.Size ? "size of blocks, from this to less than twice as much" : "lifetime of freed blocks, from this to less than twice as long");
        frame.SetTitle(GrowthSeries.TitleOf(profile, pid), GrowthSeries.RemarkOn(profile), frame.SetLegend(legend));
        return plot;
    }

    private static NumericManual Buckets(int first, int last, HistogramKind kind, int most)
    {
        var step = Math.Max(1, (int)Math.Ceiling((last - first + 1) / (double)most));
        var positions = Enumerable.Range(first, last - first + 1).Where(bucket => (bucket - first) % step == 0).ToList();
        return new NumericManual(
            [.. positions.Select(bucket => (double)bucket)], [.. positions.Select(bucket => Label(bucket, kind))]);
    }

    private static string Label(int bucket, HistogramKind kind)
    {
        var low = bucket == 0 ? 0 : Math.ScaleB(1, bucket - 1);
        return kind == HistogramKind.Size
            ? Words.Bytes((long)low).Replace(".0 ", " ", StringComparison.Ordinal)
            : Ticks.Duration(low * 1000);
    }
}
