using System.Globalization;
using System.Security;
using System.Text;
using static NativeHeap.Present.Plots.HolderPicture;

namespace NativeHeap.Present.Plots;

/// <summary>Draws boxes in rows (<see cref="HolderLayout"/>), without Graphviz.</summary>
internal static class HolderRows
{
    private const int Margin = 20;
    private const int LineHeight = 16;
    private const double LetterWidth = 7.0; // at 12 pixels
    private const int Padding = 12;

    public static string Draw(IReadOnlyList<Box> boxes, IReadOnlyList<Arrow> arrows)
    {
        var sizes = boxes.Select(box => (WidthOf(box), HeightOf(box))).ToList();
        var layout = new HolderLayout(sizes, arrows, label => label.Length * LetterWidth);
        var (width, height) = ((int)layout.Width + (2 * Margin), (int)layout.Height + (2 * Margin));
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"{-Margin} {-Margin} {width} {height}\" font-family=\"sans-serif\">\n");
        svg.Append("<defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0 0L10 5L0 10z\" fill=\"#666\"/></marker></defs>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{-Margin}\" y=\"{-Margin}\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        foreach (var way in layout.Ways)
        {
            AppendArrow(svg, way);
        }

        for (var i = 0; i < arrows.Count; i++)
        {
            AppendLabel(svg, layout.Ways[i], arrows[i].Label);
        }

        for (var i = 0; i < boxes.Count; i++)
        {
            AppendBox(svg, boxes[i], layout.Boxes[i]);
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static double WidthOf(Box box) => (box.Lines.Max(line => line.Length) * LetterWidth) + (2 * Padding);

    private static double HeightOf(Box box) => (box.Lines.Count * LineHeight) + Padding;

    // Lines within rows, curves between them.
    private static void AppendArrow(StringBuilder svg, IReadOnlyList<(double X, double Y)> way)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{way[0].X:0.#} {way[0].Y:0.#}");
        for (var i = 1; i < way.Count; i++)
        {
            var ((x1, y1), (x2, y2)) = (way[i - 1], way[i]);
            var middle = (y1 + y2) / 2;
            if (i % 2 == 0)
            {
                svg.Append(CultureInfo.InvariantCulture, $"C{x1:0.#} {middle:0.#} {x2:0.#} {middle:0.#} {x2:0.#} {y2:0.#}");
            }
            else
            {
                svg.Append(CultureInfo.InvariantCulture, $"L{x2:0.#} {y2:0.#}");
            }
        }

        svg.Append("\" fill=\"none\" stroke=\"#666\" marker-end=\"url(#tip)\"/>\n");
    }

    // Beside the first curve, on white, so that no arrow strikes it through.
    private static void AppendLabel(StringBuilder svg, IReadOnlyList<(double X, double Y)> way, string label)
    {
        var (x, y) = ((way[1].X + way[2].X) / 2, (way[1].Y + way[2].Y) / 2);
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x + 5:0.#}\" y=\"{y + 4:0.#}\" font-size=\"11\" fill=\"#333\" stroke=\"white\" stroke-width=\"4\" paint-order=\"stroke\">{Escape(label)}</text>\n");
    }

    private static void AppendBox(StringBuilder svg, Box box, (double X, double Y) at)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<g><title>{Escape(box.Title)}</title><rect x=\"{at.X:0.#}\" y=\"{at.Y:0.#}\" width=\"{WidthOf(box):0.#}\" height=\"{HeightOf(box):0.#}\" rx=\"6\" fill=\"{Fill(box.Kind)}\" stroke=\"#888\"/>\n");
        for (var i = 0; i < box.Lines.Count; i++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{at.X + (WidthOf(box) / 2):0.#}\" y=\"{at.Y + Padding + (i * LineHeight) + 6:0.#}\" font-size=\"12\" text-anchor=\"middle\">{Escape(box.Lines[i])}</text>\n");
        }

        svg.Append("</g>\n");
    }

    private static string Escape(string text) => SecurityElement.Escape(Words.Printable(text));
}
