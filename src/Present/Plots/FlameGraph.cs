using System.Globalization;
using System.Security;
using NativeHeap.Analysis;

namespace NativeHeap.Present.Plots;

/// <summary>
/// A flame graph as one SVG file: a box for each function in its context, as wide as what it costs, callers below what
/// they call (B. Gregg, The Flame Graph, CACM 59(6), 2016). A click zooms, a search marks. It needs no other file.
/// </summary>
public static class FlameGraph
{
    /// <summary>Boxes narrower than this part of the whole cannot be seen and are left out.</summary>
    public const double LeastShare = 0.0005;

    private const int Row = 18;
    private const int Top = 64;
    private const int Margin = 12;
    private const double LetterWidth = 7.0; // of the 12-pixel monospace font

    /// <summary>Draws.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="title">What stands above it.</param>
    /// <param name="root">The tree; its own name is not shown.</param>
    /// <param name="byBlocks">Whether widths are blocks; else bytes.</param>
    /// <param name="width">Pixels.</param>
    public static void Write(TextWriter output, string title, CallTreeNode root, bool byBlocks, int width)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(root);
        var rows = Depth(root);
        var height = Top + (rows * Row) + Margin;
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
            <style>{Style}</style>
            <rect class="ground" width="100%" height="100%"/>
            <text class="title" x="{Margin}" y="24">{Escape(title)}</text>
            <text id="words" x="{Margin}" y="46"> </text>
            <text id="reset" class="button" x="{width - 200}" y="24">reset zoom</text>
            <text id="search" class="button" x="{width - 100}" y="24">search</text>
            <g id="boxes">

            """));
        var box = new Box(root, Margin, width - (2 * Margin), rows - 1);
        WriteBox(output, box, root, byBlocks, title);
        output.Write($"</g>\n<script><![CDATA[{Script}]]></script>\n</svg>\n");
    }

    private readonly record struct Box(CallTreeNode Node, double X, double Width, int Row);

    private static string Style { get; } = Resource("flame.css");

    private static string Script { get; } = Resource("flame.js");

    private static int Depth(CallTreeNode node) =>
        1 + (node.Children.Count == 0 ? 0 : node.Children.Max(Depth));

    private static long Weight(CallTreeNode node, bool byBlocks) => byBlocks ? node.Blocks : node.Bytes;

    private static void WriteBox(TextWriter output, Box box, CallTreeNode root, bool byBlocks, string title)
    {
        var (node, x, width, row) = box;
        var isRoot = ReferenceEquals(node, root);
        var name = isRoot ? "all" : Words.Printable(node.Name);
        var share = byBlocks ? Words.Share(node.Blocks, root.Blocks) : Words.Share(node.Bytes, root.Bytes);
        var hint = $"{(isRoot ? title : name)}\n{Words.Bytes(node.Bytes)} in {Words.Count(node.Blocks, "block")}, {share}";
        var letters = (int)((width - 6) / LetterWidth);
        var text = letters < 3 ? "" : name.Length <= letters ? name : name[..(letters - 1)] + "…";
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"<g data-n=\"{Escape(name)}\"><title>{Escape(hint)}</title><rect x=\"{x:0.##}\" y=\"{Top + (row * Row)}\" "
            + $"width=\"{Math.Max(width - 0.5, 0.2):0.##}\" height=\"{Row - 1}\" fill=\"{Colour(name)}\"/>"
            + $"<text x=\"{x + 3:0.##}\" y=\"{Top + (row * Row) + 13}\">{Escape(text)}</text></g>\n"));
        var whole = Weight(node, byBlocks);
        foreach (var child in node.Children)
        {
            var part = width * Weight(child, byBlocks) / whole;
            WriteBox(output, new Box(child, x, part, row - 1), root, byBlocks, title);
            x += part;
        }
    }

    // The same function has the same colour in every graph.
    private static string Colour(string name)
    {
        var hash = 2166136261u; // FNV-1a
        foreach (var letter in name)
        {
            hash = (hash ^ letter) * 16777619u;
        }

        return string.Create(
            CultureInfo.InvariantCulture, $"hsl({20 + (hash % 40)},{65 + (hash / 64 % 25)}%,{60 + (hash / 4096 % 12)}%)");
    }

    private static string Escape(string text) => SecurityElement.Escape(text)!;

    private static string Resource(string name)
    {
        using var stream = typeof(FlameGraph).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
