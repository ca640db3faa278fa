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

    /// <summary>Draws a tree.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="title">What stands above it.</param>
    /// <param name="root">The tree; its own name is not shown.</param>
    /// <param name="byBlocks">Whether widths are blocks; else bytes.</param>
    /// <param name="width">Pixels.</param>
    public static void Write(TextWriter output, string title, CallTreeNode root, bool byBlocks, int width)
    {
        ArgumentNullException.ThrowIfNull(root);
        Write(output, title, Box.Of(root, root, byBlocks), width);
    }

    /// <summary>
    /// Draws two states of a tree as one (B. Gregg, differential flame graphs, 2014): what grew is red, what shrank blue,
    /// the more so the more it did; a box is as wide as the larger of both, so that what is gone can be seen.
    /// </summary>
    /// <param name="output">Where to.</param>
    /// <param name="title">What stands above it.</param>
    /// <param name="root">The tree; its own name is not shown.</param>
    /// <param name="byBlocks">Whether costs are blocks; else bytes.</param>
    /// <param name="width">Pixels.</param>
    public static void WriteDiff(TextWriter output, string title, TreeDiffNode root, bool byBlocks, int width)
    {
        ArgumentNullException.ThrowIfNull(root);
        var largest = Math.Max(1, LargestChange(root));
        Write(output, title, Box.Of(root, largest, byBlocks), width);

        static long LargestChange(TreeDiffNode node) =>
            node.Children.Select(LargestChange).Append(Math.Abs(node.After - node.Before)).Max();
    }

    private static void Write(TextWriter output, string title, Box root, int width)
    {
        ArgumentNullException.ThrowIfNull(output);
        var rows = root.Depth;
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
        WriteBox(output, root with { Name = "all", Hint = $"{title}\n{root.Hint}" }, (Margin, width - (2 * Margin), rows - 1));
        output.Write($"</g>\n<script><![CDATA[{Script}]]></script>\n</svg>\n");
    }

    private sealed record Box(string Name, string Hint, string Colour, long Weight, IReadOnlyList<Box> Children)
    {
        public int Depth => 1 + (Children.Count == 0 ? 0 : Children.Max(child => child.Depth));

        public static Box Of(CallTreeNode node, CallTreeNode root, bool byBlocks)
        {
            var share = byBlocks ? Words.Share(node.Blocks, root.Blocks) : Words.Share(node.Bytes, root.Bytes);
            return new Box(
                Words.Printable(node.Name),
                $"{Words.Bytes(node.Bytes)} in {Words.Count(node.Blocks, "block")}, {share}",
                ColourOf(node.Name),
                byBlocks ? node.Blocks : node.Bytes,
                [.. node.Children.Select(child => Of(child, root, byBlocks))]);
        }

        public static Box Of(TreeDiffNode node, long largest, bool byBlocks)
        {
            Func<long, string> say = byBlocks ? cost => Words.Count(cost, "block") : Words.Bytes;
            var change = node.After - node.Before;
            return new Box(
                Words.Printable(node.Name),
                $"{(change > 0 ? "+" : "")}{say(change)} ({say(node.Before)} → {say(node.After)})",
                ColourOf(change, largest),
                node.Width,
                [.. node.Children.Select(child => Of(child, largest, byBlocks))]);
        }
    }

    private static string Style { get; } = Resource("flame.css");

    private static string Script { get; } = Resource("flame.js");

    private static void WriteBox(TextWriter output, Box box, (double X, double Width, int Row) place)
    {
        var (x, width, row) = place;
        var hint = box.Hint.Contains('\n', StringComparison.Ordinal) ? box.Hint : $"{box.Name}\n{box.Hint}";
        var letters = (int)((width - 6) / LetterWidth);
        var text = letters < 3 ? "" : box.Name.Length <= letters ? box.Name : box.Name[..(letters - 1)] + "…";
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"<g data-n=\"{Escape(box.Name)}\"><title>{Escape(hint)}</title><rect x=\"{x:0.##}\" y=\"{Top + (row * Row)}\" "
            + $"width=\"{Math.Max(width - 0.5, 0.2):0.##}\" height=\"{Row - 1}\" fill=\"{box.Colour}\"/>"
            + $"<text x=\"{x + 3:0.##}\" y=\"{Top + (row * Row) + 13}\">{Escape(text)}</text></g>\n"));
        foreach (var child in box.Children)
        {
            var part = width * child.Weight / box.Weight;
            WriteBox(output, child, (x, part, row - 1));
            x += part;
        }
    }

    // From pale to strong with the size of the change; what did not change is grey.
    private static string ColourOf(long change, long largest)
    {
        var strength = Math.Sqrt(Math.Abs((double)change) / largest); // small changes must be seen beside large ones
        return change == 0
            ? "hsl(0,0%,82%)"
            : string.Create(CultureInfo.InvariantCulture, $"hsl({(change > 0 ? 8 : 215)},85%,{88 - (33 * strength):0}%)");
    }

    // The same function has the same colour in every graph.
    private static string ColourOf(string name)
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
