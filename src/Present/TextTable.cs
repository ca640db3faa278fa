namespace NativeHeap.Present;

/// <summary>Columns of text, as wide as they need to be; the last may be cut to fit a canvas.</summary>
/// <param name="rightAligned">For each column whether it holds figures.</param>
internal sealed class TextTable(params bool[] rightAligned)
{
    private const string Indent = "  ";
    private const string Gap = "  ";

    private readonly List<(string[] Cells, Emphasis Emphasis)> _rows = [];

    public void Add(params string[] cells) => _rows.Add((cells, Emphasis.None));

    public void AddFaint(params string[] cells) => _rows.Add((cells, Emphasis.Faint));

    public void Write(TextCanvas canvas)
    {
        var widths = Enumerable.Range(0, rightAligned.Length).Select(i => _rows.Max(r => r.Cells[i].Length)).ToArray();
        foreach (var (cells, emphasis) in _rows)
        {
            var line = Indent + string.Join(Gap, cells.Select((cell, i) => Align(cell, widths[i], rightAligned[i])));
            line = line.TrimEnd(' ');
            canvas.Write(line.Length > canvas.Width ? line[..(canvas.Width - 1)] + "…" : line, emphasis);
            canvas.Line();
        }
    }

    private static string Align(string cell, int width, bool right) => right ? cell.PadLeft(width) : cell.PadRight(width);
}
