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

    /// <summary>Text, folded at the width; what is folded is indented more by <paramref name="hanging"/>.</summary>
    public void Line(string text, Emphasis emphasis = Emphasis.None, int hanging = 4)
    {
        var indent = text.Length - text.AsSpan().TrimStart(' ').Length;
        var rest = text;
        while (rest.Length > Width)
        {
            var cut = FoldAt(rest, Width, indent);
            Write(rest[..cut].TrimEnd(' '), emphasis);
            output.Write('\n');
            rest = new string(' ', indent + hanging) + rest[cut..].TrimStart(' ');
        }

        Write(rest, emphasis);
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

    /// <summary>Between words where that leaves a line at least half full, else where the width ends.</summary>
    private static int FoldAt(string text, int width, int indent)
    {
        var space = text.LastIndexOf(' ', width, width - indent);
        return space > Math.Max(width / 2, indent) ? space : width;
    }
}
