using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>Formats that other tools read, each of them one file. (Parquet is a folder: <see cref="ParquetExport"/>.)</summary>
public static class TraceExport
{
    // These hold what was allocated and what is live side by side.
    private static readonly Dictionary<string, Action<Stream, ExportSource>> s_whole = new(StringComparer.Ordinal)
    {
        ["pprof"] = PprofExport.Write,
        ["otlp"] = OtlpExport.Write,
        ["firefox"] = FirefoxExport.Write,
        ["gperftools"] = (output, source) => WriteText(output, text => GperftoolsExport.Write(text, source)),
    };

    /// <summary>Their names on the command line.</summary>
    public static IReadOnlyList<string> Formats { get; } = [.. s_whole.Keys, "folded", "speedscope"];

    /// <summary>Writes a trace in a format.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="profile">The trace.</param>
    /// <param name="format">One of <see cref="Formats"/>.</param>
    /// <param name="question">Which stacks, and what they are weighed by; all but folded and speedscope always have what was
    /// allocated and what is live at the end, and take the pid alone.</param>
    /// <exception cref="ToolException">The trace cannot be read (4), or the format or question makes no sense (2).</exception>
    public static void Write(Stream output, Profile profile, string format, StackQuestion question)
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(question);
        if (s_whole.TryGetValue(format, out var write))
        {
            RequireWhole(format, question);
            write(output, new ExportSource(profile, question.Pid));
            return;
        }

        var answer = profile.Ask(question);
        var byBlocks = answer.By == StackMeasure.Count;
        switch (format)
        {
            case "folded":
                FoldedExport.Write(output, profile.Stacks, answer.Costs, byBlocks);
                break;
            case "speedscope":
                var name = $"{Path.GetFileName(profile.Path)}, {answer.By.Name()}{new Figures(profile.Info.Exact).Suffix}";
                SpeedscopeExport.Write(output, profile.Info, name, profile.Stacks, answer.Costs, byBlocks);
                break;
            default:
                throw new ToolException(
                    $"--format {format}: must be one of {string.Join(", ", Formats)}", ExitCodes.Usage);
        }
    }

    /// <summary>Refuses a choice of what to weigh by for a format that holds everything.</summary>
    /// <exception cref="ToolException">There is such a choice (exit code 2).</exception>
    public static void RequireWhole(string format, StackQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (question.By is not null || question.Moment is not null)
        {
            throw new ToolException(
                $"{format} has what was allocated and what is live at the end, side by side; leave --by and @ out",
                ExitCodes.Usage);
        }
    }

    private static void WriteText(Stream output, Action<TextWriter> write)
    {
        using var text = new StreamWriter(output, bufferSize: 1 << 16, leaveOpen: true);
        write(text);
    }
}
