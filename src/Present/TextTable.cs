namespace NativeHeap.Present;

/// <summary>What becomes of a last column that has no room.</summary>
internal enum LastColumn
{
    /// <summary>It ends in an ellipsis.</summary>
    Cut,

    /// <summary>It goes on in the next line.</summary>
    Fold,
}

/// <summary>Columns of text, as wide as they need to be.</summary>
/// <param name="last">What becomes of the last column when it has no room.</param>
/// <param name="rightAligned">For each column whether it holds figures.</param>
internal sealed class TextTable(LastColumn last, params bool[] rightAligned)
{
    private const string Indent = "  ";
    private const string Gap = "  ";

    private readonly List<(string[] Cells, Emphasis Emphasis)> _rows = [];

    public void Add(params string[] cells) => _rows.Add((cells, Emphasis.None));

    public void AddFaint(params string[] cells) => _rows.Add((cells, Emphasis.Faint));

    public void Write(TextCanvas canvas)
    {
        var widths = Enumerable.Range(0, rightAligned.Length).Select(i => _rows.Max(r => r.Cells[i].Length)).ToArray();
        var start = Indent.Length + widths[..^1].Sum(width => width + Gap.Length);
        foreach (var (cells, emphasis) in _rows)
        {
            var line = Indent + string.Join(Gap, cells.Select((cell, i) => Align(cell, widths[i], rightAligned[i])));
            line = line.TrimEnd(' ');
            if (line.Length > canvas.Width && last == LastColumn.Cut)
            {
                line = line[..(canvas.Width - 1)] + "…";
            }

            canvas.Line(line, emphasis, indent: start, hanging: 0);
        }
    }

    private static string Align(string cell, int width, bool right) => right ? cell.PadLeft(width) : cell.PadRight(width);
}
