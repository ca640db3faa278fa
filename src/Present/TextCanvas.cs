using System.Buffers;

namespace NativeHeap.Present;

/// <summary>How a piece of text should stand out.</summary>
public enum Emphasis
{
    /// <summary>It should not.</summary>
    None,

    /// <summary>A heading or a figure to look at first.</summary>
    Strong,

    /// <summary>What is of use but may be skipped.</summary>
    Faint,

    /// <summary>What makes figures less than they seem.</summary>
    Warning,
}

/// <summary>Lines of text for a terminal or a file.</summary>
/// <param name="output">Where they go; stays the caller's.</param>
/// <param name="width">Columns after which lines are folded; null: never.</param>
/// <param name="colour">True to use terminal colours.</param>
public sealed class TextCanvas(TextWriter output, int? width, bool colour)
{
    private const int NarrowestColumns = 40;

    /// <summary>After these a name may be folded: C++ names have few spaces.</summary>
    private static readonly SearchValues<char> s_nameParts = SearchValues.Create(":,<>(/");

    /// <summary>Columns after which lines are folded; <see cref="int.MaxValue"/>: never.</summary>
    public int Width { get; } = width is { } columns ? Math.Max(columns, NarrowestColumns) : int.MaxValue;

    /// <summary>A canvas on stdout: as wide as the terminal and in colour, when it is one and NO_COLOR does not forbid it.</summary>
    public static TextCanvas ForStandardOutput(TextWriter output)
    {
        if (Console.IsOutputRedirected)
        {
            return new TextCanvas(output, null, false);
        }

        var plain = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) // no-color.org
            || Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb";
        return new TextCanvas(output, Console.WindowWidth > 0 ? Console.WindowWidth : 80, !plain);
    }

    /// <summary>An empty line.</summary>
    public void Line() => output.Write('\n');

    /// <summary>Text, folded at the width; what is folded is indented as the text is and more by <paramref name="hanging"/>.</summary>
    public void Line(string text, Emphasis emphasis = Emphasis.None, int hanging = 4) =>
        Line(text, emphasis, text.Length - text.AsSpan().TrimStart(' ').Length, hanging);

    /// <summary>Text, folded at the width; what is folded is indented by <paramref name="indent"/> and <paramref name="hanging"/>.</summary>
    internal void Line(string text, Emphasis emphasis, int indent, int hanging)
    {
        var margin = new string(' ', Math.Min(indent + hanging, Width / 2));
        while (text.Length > Width)
        {
            var cut = FoldAt(text, margin.Length);
            Write(text[..cut].TrimEnd(' '), emphasis);
            output.Write('\n');
            text = margin + text[cut..].TrimStart(' ');
        }

        Write(text, emphasis);
        output.Write('\n');
    }

    /// <summary>Text within a line that is known to be short enough.</summary>
    public void Write(string text, Emphasis emphasis = Emphasis.None)
    {
        var code = !colour ? null : emphasis switch
        {
            Emphasis.Strong => "1",
            Emphasis.Faint => "2",
            Emphasis.Warning => "33",
            _ => null,
        };
        output.Write(code is null ? text : $"\e[{code}m{text}\e[0m");
    }

    /// <summary>
    /// Between words where that leaves a line at least half full, else between the parts of a name, else where the
    /// width ends. Always beyond the margin, so that folding comes to an end.
    /// </summary>
    private int FoldAt(string text, int margin)
    {
        var least = margin + ((Width - margin) / 2);
        var space = text.LastIndexOf(' ', Width, Width - least);
        if (space >= 0)
        {
            return space;
        }

        var part = text.AsSpan(least, Width - least).LastIndexOfAny(s_nameParts);
        return part >= 0 ? least + part + 1 : Width;
    }
}
