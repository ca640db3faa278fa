using System.Globalization;
using System.Security;
using System.Text;
using static NativeHeap.Present.Plots.HolderPicture;

namespace NativeHeap.Present.Plots;

/// <summary>
/// Places boxes in rows, without Graphviz: each box one row above the lowest that it points to, the target in the last one
/// (layers by longest path, K. Sugiyama and others, 1981), so that every arrow but a cycle's points down.
/// </summary>
internal static class HolderRows
{
    private const int Margin = 20;
    private const int Gap = 28;
    private const int RowGap = 56;
    private const int LineHeight = 16;
    private const double LetterWidth = 7.0; // at 12 pixels
    private const int Padding = 12;

    public static string Draw(IReadOnlyList<Box> boxes, IReadOnlyList<Arrow> arrows)
    {
        var rows = Rows(boxes.Count, arrows);
        var places = Place(boxes, rows, out var width, out var height);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">\n");
        svg.Append("<defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0 0L10 5L0 10z\" fill=\"#666\"/></marker></defs>\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        foreach (var arrow in arrows)
        {
            AppendArrow(svg, places[arrow.From], places[arrow.To], arrow.Label);
        }

        for (var i = 0; i < boxes.Count; i++)
        {
            AppendBox(svg, boxes[i], places[i]);
        }

        return svg.Append("</svg>\n").ToString();
    }

    // Box 0 is the target; what points to it, however indirectly, stands above.
    private static int[] Rows(int count, IReadOnlyList<Arrow> arrows)
    {
        var rows = new int[count];
        for (var round = 0; round < count; round++)
        {
            var isChanged = false;
            foreach (var (from, to, _) in arrows)
            {
                if (from != 0 && rows[from] <= rows[to] && rows[to] + 1 < count)
                {
                    rows[from] = rows[to] + 1;
                    isChanged = true;
                }
            }

            if (!isChanged)
            {
                break;
            }
        }

        return rows;
    }

    private static (double X, double Y, double Width, double Height)[] Place(
        IReadOnlyList<Box> boxes, int[] rows, out int width, out int height)
    {
        var places = new (double X, double Y, double Width, double Height)[boxes.Count];
        var lines = Enumerable.Range(0, rows.Max() + 1).Reverse()
            .Select(row => Enumerable.Range(0, boxes.Count).Where(box => rows[box] == row).ToList())
            .Where(row => row.Count > 0).ToList();
        var widths = lines.Select(row => row.Sum(box => WidthOf(boxes[box]) + Gap) - Gap).ToList();
        double y = Margin;
        for (var i = 0; i < lines.Count; i++)
        {
            var x = Margin + ((widths.Max() - widths[i]) / 2);
            foreach (var box in lines[i])
            {
                places[box] = (x, y, WidthOf(boxes[box]), HeightOf(boxes[box]));
                x += places[box].Width + Gap;
            }

            y += lines[i].Max(box => HeightOf(boxes[box])) + RowGap;
        }

        width = (int)(widths.Max() + (2 * Margin));
        height = (int)(y - RowGap + Margin);
        return places;
    }

    private static double WidthOf(Box box) => (box.Lines.Max(line => line.Length) * LetterWidth) + (2 * Padding);

    private static double HeightOf(Box box) => (box.Lines.Count * LineHeight) + Padding;

    private static void AppendArrow(
        StringBuilder svg,
        (double X, double Y, double Width, double Height) from,
        (double X, double Y, double Width, double Height) to,
        string label)
    {
        var isDown = from.Y < to.Y;
        var (x1, y1) = (from.X + (from.Width / 2), isDown ? from.Y + from.Height : from.Y);
        var (x2, y2) = (to.X + (to.Width / 2), isDown ? to.Y : to.Y + to.Height);
        var bend = isDown ? 0 : from.Width;
        svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{x1:0.#} {y1:0.#}Q{((x1 + x2) / 2) + bend:0.#} {(y1 + y2) / 2:0.#} {x2:0.#} {y2:0.#}\" fill=\"none\" stroke=\"#666\" marker-end=\"url(#tip)\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{((x1 + x2) / 2) + (bend / 2) + 5:0.#}\" y=\"{((y1 + y2) / 2) + 4:0.#}\" font-size=\"11\" fill=\"#333\">{Escape(label)}</text>\n");
    }

    private static void AppendBox(StringBuilder svg, Box box, (double X, double Y, double Width, double Height) at)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<g><title>{Escape(box.Title)}</title><rect x=\"{at.X:0.#}\" y=\"{at.Y:0.#}\" width=\"{at.Width:0.#}\" height=\"{at.Height:0.#}\" rx=\"6\" fill=\"{Fill(box.Kind)}\" stroke=\"#888\"/>\n");
        for (var i = 0; i < box.Lines.Count; i++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{at.X + (at.Width / 2):0.#}\" y=\"{at.Y + Padding + (i * LineHeight) + 6:0.#}\" font-size=\"12\" text-anchor=\"middle\">{Escape(box.Lines[i])}</text>\n");
        }

        svg.Append("</g>\n");
    }

    private static string Escape(string text) => SecurityElement.Escape(Words.Printable(text));
}
