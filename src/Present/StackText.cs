using System.Globalization;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>Stacks for people: a line for each frame, from the allocation function's caller outwards.</summary>
public static class StackText
{
    /// <summary>Frames of a very deep stack that are shown; the JSON has them all.</summary>
    public const int MaxLines = 64;

    private const int OuterLines = 12;
    private const string Indent = "         ";

    /// <summary>The lines of a stack's frames.</summary>
    public static void WriteFrames(TextCanvas canvas, CallStack stack)
    {
        var lines = Fold(stack.Frames.Select(Describe));
        for (var i = 0; i < lines.Count; i++)
        {
            var hidden = lines.Count - MaxLines;
            if (hidden > 0 && i == MaxLines - OuterLines)
            {
                canvas.Line($"{Indent}… {Words.Count(hidden, "more line")} (--json has every frame) …", Emphasis.Faint);
                i += hidden;
            }

            var (text, marker) = lines[i];
            canvas.Line(Indent + text, marker ? Emphasis.Warning : Emphasis.None);
        }

        if (lines.Count == 0)
        {
            canvas.Line(Indent + "(no caller known)", Emphasis.Warning);
        }
    }

    /// <summary>A frame's function, or its module and offset, without file and line.</summary>
    public static string Name(Frame frame)
    {
        if (frame.Name?.Function is { } function)
        {
            return Words.Printable(function);
        }

        var offset = string.Create(CultureInfo.InvariantCulture, $"0x{frame.Location.Offset:x}");
        return frame.Location.Module is { } module
            ? Words.Printable(Path.GetFileName(module.Path) is { Length: > 0 } name ? name : module.Path) + "+" + offset
            : offset;
    }

    /// <summary>What a frame is called in a format of others: its name, or the remark that stands in its place.</summary>
    internal static string PlainName(Frame frame) => frame.Marker is { } marker ? Remark(marker) : Name(frame);

    private static (string Text, bool Marker) Describe(Frame frame)
    {
        if (frame.Marker is { } marker)
        {
            return (Remark(marker), true);
        }

        var text = Name(frame);
        if (frame.Name?.File is { } file)
        {
            text += "  " + Words.Printable(file)
                + (frame.Name.Line is { } line ? string.Create(CultureInfo.InvariantCulture, $":{line}") : "");
        }
        else if (frame.Name?.Function is not null && frame.Location.Module is { } module)
        {
            text += "  " + Words.Printable(Path.GetFileName(module.Path));
        }

        return (frame.Name?.Inlined == true ? text + "  (inlined)" : text, false);
    }

    private static string Remark(StackMarker marker) => marker switch
    {
        StackMarker.DepthLimit => "(outer frames beyond 1,024 were not recorded)",
        StackMarker.Lost => "(outer frames are missing: the walk ended before the thread's start)",
        StackMarker.Guessed => "(frames may be missing: code without unwind information was left by its frame pointer)",
        StackMarker.TreeFull => "(frames are missing: no room for more stacks)",
        _ => "(unknown remark)",
    };

    /// <summary>Joins lines that follow each other and are the same: recursion.</summary>
    private static List<(string Text, bool Marker)> Fold(IEnumerable<(string Text, bool Marker)> lines)
    {
        var folded = new List<(string Text, bool Marker)>();
        var times = 0;
        (string Text, bool Marker) last = default;
        foreach (var line in lines.Append(default))
        {
            if (line == last)
            {
                times++;
                continue;
            }

            if (times > 0)
            {
                folded.Add(times == 1 ? last : ($"{last.Text}  (× {Words.Count(times)})", last.Marker));
            }

            last = line;
            times = 1;
        }

        return folded;
    }
}
