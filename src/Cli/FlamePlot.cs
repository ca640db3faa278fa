using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary>Flame graphs of <c>plot</c>: of one state of a heap, or of two.</summary>
internal static class FlamePlot
{
    /// <summary>Draws.</summary>
    /// <param name="traces">One, or two to compare.</param>
    /// <param name="path">The picture.</param>
    /// <param name="force">An existing file may be replaced.</param>
    /// <param name="question">What boxes are as wide as, and the pid.</param>
    /// <param name="width">Pixels.</param>
    /// <exception cref="ToolException">A trace cannot be read (4), or what is asked makes no sense (2).</exception>
    public static void Draw(IReadOnlyList<TraceReference> traces, string path, bool force, StackQuestion question, int width)
    {
        if (!path.EndsWith(".svg", StringComparison.OrdinalIgnoreCase))
        {
            throw new ToolException($"{path} does not end in .svg, and a flame graph is one", ExitCodes.Usage);
        }
        var file = OutputFile.Plan(path, force);
        using var first = Profile.Open(traces[0].Path);
        if (traces.Count == 1)
        {
            DrawOne(file, first, question with { Moment = traces[0].Moment }, width);
        }
        else
        {
            using var other = traces[1].Path == traces[0].Path ? null : Profile.Open(traces[1].Path);
            DrawTwo(file, first, other ?? first, traces, question.By, width);
        }
        Messages.Say($"wrote {file.Path}");
    }

    private static void DrawOne(OutputFile file, Profile profile, StackQuestion question, int width)
    {
        var (answer, root) = CostView.TopDown(profile, question, FlameGraph.LeastShare);
        var title = $"{Path.GetFileName(profile.Path)}, {answer.By.Name()}: {Words.Bytes(answer.Bytes)} in "
            + Words.Count(answer.Blocks, "block") + Estimates(profile);
        Write(file, writer => FlameGraph.Write(writer, title, root, answer.By == StackMeasure.Count, width));
    }

    private static void DrawTwo(
        OutputFile file, Profile before, Profile after, IReadOnlyList<TraceReference> traces, StackMeasure? by, int width)
    {
        var question = new DiffQuestion { Before = traces[0].Moment, After = traces[1].Moment, By = by };
        var (measure, root) = TreeDiff.Compare(before, after, question, FlameGraph.LeastShare);
        var title = $"{Name(traces[0])} → {Name(traces[1])}, {measure.Name()}; red grew, blue shrank"
            + (Estimates(before) is { Length: > 0 } words ? words : Estimates(after));
        Write(file, writer => FlameGraph.WriteDiff(writer, title, root, measure == StackMeasure.Count, width));
    }

    private static string Name(TraceReference trace) =>
        Path.GetFileName(trace.Path) + (trace.Moment is { } moment ? $"@{moment}" : "");

    private static string Estimates(Profile profile) => new Figures(profile.Info.Exact).Suffix;

    private static void Write(OutputFile file, Action<TextWriter> write) => file.Write(stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true);
        write(writer);
    });
}
