using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>Formats that other tools read.</summary>
public static class TraceExport
{
    /// <summary>Their names on the command line.</summary>
    public static IReadOnlyList<string> Formats { get; } = ["pprof", "folded", "speedscope"];

    /// <summary>Writes a trace in a format.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="profile">The trace.</param>
    /// <param name="format">One of <see cref="Formats"/>.</param>
    /// <param name="question">Which stacks, and what they are weighed by; pprof always has what was allocated and what
    /// is live at the end, and takes the pid alone.</param>
    /// <exception cref="ToolException">The trace cannot be read (4), or the format or question makes no sense (2).</exception>
    public static void Write(Stream output, Profile profile, string format, StackQuestion question)
    {
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(question);
        if (format == "pprof")
        {
            if (question.By is not null || question.Moment is not null)
            {
                throw new ToolException(
                    "pprof has what was allocated and what is live at the end, side by side; leave --by and @ out",
                    ExitCodes.Usage);
            }

            var (program, duration) = (profile.Processes[0].Executable, profile.Totals(question.Pid).DurationNs);
            PprofExport.Write(output, profile.Info, program, duration, profile.Usage(question.Pid));
            return;
        }

        var answer = profile.Ask(question);
        var byBlocks = answer.By == StackMeasure.Count;
        switch (format)
        {
            case "folded":
                using (var text = new StreamWriter(output, leaveOpen: true))
                {
                    FoldedExport.Write(text, answer.Stacks, byBlocks);
                }

                break;
            case "speedscope":
                var name = $"{Path.GetFileName(profile.Path)}, {answer.By.Name()}";
                SpeedscopeExport.Write(output, profile.Info, name, answer.Stacks, byBlocks);
                break;
            default:
                throw new ToolException(
                    $"--format {format}: must be one of {string.Join(", ", Formats)}", ExitCodes.Usage);
        }
    }
}
