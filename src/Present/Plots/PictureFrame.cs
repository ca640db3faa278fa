using ScottPlot;
using ScottPlot.TickGenerators;

namespace NativeHeap.Present.Plots;

/// <summary>What pictures have around their data: axes, a title that fits, a legend beside the data.</summary>
/// <param name="plot">The plot.</param>
/// <param name="theme">Its colours.</param>
/// <param name="width">Pixels.</param>
/// <param name="height">Pixels.</param>
internal sealed class PictureFrame(Plot plot, PictureTheme theme, int width, int height)
{
    /// <summary>A little room for what stands above the highest point, and beyond the last.</summary>
    public const double Above = 1.12, Beyond = 1.01;

    private const float TitleSize = 16;
    private const int Wide = 800; // pixels from which a legend may take what it wants
    private const int SmallLegendLetters = 24;

    private const int FewItems = 3; // a line below the data has room for them

    // Beside the data in a wide picture; few of them take less of it below.
    private bool IsBeside(int items) => items > FewItems && width >= 1.2 * height && width >= 500;

    private float LegendSize => width >= Wide ? 12 : 10;

    /// <summary>Steps of a time axis that have room for their words.</summary>
    public NumericManual TimeTicks(double lastNs) => Manual(Ticks.Time(lastNs, Math.Clamp(width / 110, 3, 12)));

    /// <summary>Steps of an axis of bytes that have room for their words.</summary>
    public NumericManual ByteTicks(double top) => Manual(Ticks.Bytes(top, Math.Clamp(height / 55, 3, 9)));

    /// <summary>Time below, bytes at the left.</summary>
    public void SetAxes(double lastNs, double top, string quantity)
    {
        plot.Axes.SetLimits(0, lastNs * Beyond, 0, top * Above);
        plot.Axes.Bottom.TickGenerator = TimeTicks(lastNs);
        plot.Axes.Left.TickGenerator = ByteTicks(top * Above);
        plot.YLabel(quantity);
        plot.XLabel("time since start");
        plot.Axes.Right.MinimumSize = 40; // half of the last tick's words
    }

    /// <summary>A second axis at the right.</summary>
    public void SetRightAxis(double top, string quantity, NumericManual ticks)
    {
        plot.Axes.SetLimitsY(0, top * Above, plot.Axes.Right);
        plot.Axes.Right.TickGenerator = ticks;
        plot.Axes.Right.Label.Text = quantity;
        plot.Axes.Right.Label.ForeColor = theme.Second;
        plot.Axes.Right.TickLabelStyle.ForeColor = theme.Second;
    }

    /// <summary>A legend beside the data; below them in a narrow picture, or when it is short.</summary>
    /// <returns>Pixels that are left for the data and their axes.</returns>
    public float SetLegend(IReadOnlyList<LegendItem> items)
    {
        var isBeside = IsBeside(items.Count);
        if (isBeside)
        {
            plot.Axes.Right.MinimumSize = 0; // the last tick's words have room before the legend
        }

        var legend = plot.ShowLegend(isBeside ? Edge.Right : Edge.Bottom).Legend;
        foreach (var item in items)
        {
            item.LabelText = width >= Wide ? item.LabelText : Labels.Shorten(item.LabelText, SmallLegendLetters);
            item.LabelFontSize = LegendSize;
            item.LabelFontColor = theme.Ink;
            legend.ManualItems.Add(item);
        }

        legend.OutlineWidth = 0;
        legend.ShadowColor = Colors.Transparent;
        legend.BackgroundColor = theme.Paper;
        legend.Orientation = isBeside ? Orientation.Vertical : Orientation.Horizontal;
        return width - (isBeside
            ? items.Max(item => PictureFonts.Width(item.LabelText, LegendSize, bold: false)) : 0);
    }

    /// <summary>The title stands in the middle of the data, so it may be as wide as those and a little more.</summary>
    public void SetTitle(string title, string? remark, float room)
    {
        const float Axis = 90;
        var pixels = Math.Max(room - (2 * Axis), Axis);
        var text = Fit(title, pixels);
        plot.Title(remark is null ? text : text + "\n" + Fit(remark, pixels), TitleSize);
    }

    private static NumericManual Manual(IReadOnlyList<Tick> ticks) =>
        new([.. ticks.Select(tick => tick.Position)], [.. ticks.Select(tick => tick.Label)]);

    private static string Fit(string text, float pixels)
    {
        var letters = Math.Min(text.Length, 400);
        while (letters > 8 && PictureFonts.Width(Labels.Shorten(text, letters), TitleSize, bold: true) > pixels)
        {
            letters--;
        }

        return Labels.Shorten(text, letters);
    }
}
