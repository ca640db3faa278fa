using ScottPlot;

namespace NativeHeap.Present.Plots;

/// <summary>Colours of a picture, for light or dark surroundings.</summary>
public sealed class PictureTheme
{
    // Okabe and Ito, "Color Universal Design" (2008): told apart with any kind of colour vision.
    private static readonly Color[] s_areas =
    [
        Color.FromHex("#0072B2"), Color.FromHex("#E69F00"), Color.FromHex("#009E73"), Color.FromHex("#CC79A7"),
        Color.FromHex("#56B4E9"), Color.FromHex("#D55E00"), Color.FromHex("#F0E442"),
    ];

    private PictureTheme(string paper, string ink, string rest, string second)
    {
        Paper = Color.FromHex(paper);
        Ink = Color.FromHex(ink);
        Rest = Color.FromHex(rest);
        Second = Color.FromHex(second);
    }

    /// <summary>For white paper.</summary>
    public static PictureTheme Light { get; } = new("#FFFFFF", "#222222", "#BDBDBD", "#7A0019");

    /// <summary>For dark pages.</summary>
    public static PictureTheme Dark { get; } = new("#1B1B1D", "#DDDDDD", "#6E6E73", "#FF8FA3");

    internal static IReadOnlyList<Color> Areas => s_areas;

    internal Color Paper { get; }

    internal Color Ink { get; }

    internal Color Rest { get; }

    /// <summary>Of what is measured on a second axis.</summary>
    internal Color Second { get; }

    /// <summary>A plot in these colours, with words in a font that is there.</summary>
    internal Plot NewPlot()
    {
        PictureFonts.Use();
        var plot = new Plot();
        plot.FigureBackground.Color = Paper;
        plot.DataBackground.Color = Paper;
        plot.Axes.Color(Ink);
        plot.Grid.MajorLineColor = Ink.WithAlpha(0.12);
        return plot;
    }
}
