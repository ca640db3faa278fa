using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>plot</c>: a picture of a trace.</summary>
internal static class PlotVerb
{
    private const int DefaultWidth = 1200;
    private const int DefaultHeight = 675;

    private const string Growth = "growth";
    private const string Flame = "flame";

    // More stacks than areas: several may bear one name and become one area.
    private const int StacksToAsk = 64;

    public static Verb Create()
    {
        var trace = new Argument<string>("TRACE") { Description = "The trace to draw." };
        var output = new Option<string>("--output", "-o")
        {
            HelpName = "FILE",
            Description = "The picture, .png or .svg.",
            Required = true,
        };
        var kind = new Option<string>("--kind")
        {
            HelpName = "KIND",
            Description = "What to draw: growth (live bytes over time by stack, and RSS) or flame (a flame graph to zoom and "
                + "search in a browser; .svg).",
            DefaultValueFactory = _ => Growth,
        };
        kind.AcceptOnlyFromAmong(Growth, Flame);
        var by = new Option<string?>("--by")
        {
            HelpName = string.Join('|', StackMeasures.Names),
            Description = "What the boxes of a flame graph are as wide as (default live).",
        };
        by.AcceptOnlyFromAmong([.. StackMeasures.Names]);
        var pid = Quantities.NumberOption("--pid", "N", "Only the processes of this pid.");
        var width = Pixels("--width", DefaultWidth);
        var height = Pixels("--height", DefaultHeight);
        var force = new Option<bool>("--force") { Description = "Replace an existing file." };
        var verb = new Verb(
            "plot",
            "Draws how the heap grew, or who allocated it.",
            "nativeheap plot server.nheap -o heap.png",
            "nativeheap plot server.nheap -o heap.svg --width 1600 --height 900",
            "nativeheap plot server.nheap@peak --kind flame -o flame.svg")
        {
            trace, output, kind, by, pid, width, height, force,
        };
        verb.SetAction(result =>
        {
            if (result.GetValue(kind) == Flame)
            {
                DrawFlames(result, trace, output, by, pid, width, force);
                return ExitCodes.Success;
            }
            if (result.GetValue(by) is not null)
            {
                throw new ToolException("--by goes with --kind flame", ExitCodes.Usage);
            }
            var file = PictureFile.Plan(result.GetRequiredValue(output), result.GetValue(force));
            var size = (result.GetValue(width), result.GetValue(height));
            DrawGrowth(result.GetRequiredValue(trace), result.GetValue(pid), file, size);
            return ExitCodes.Success;
        });
        return verb;
    }

    private static void DrawFlames(
        ParseResult result,
        Argument<string> trace,
        Option<string> output,
        Option<string?> by,
        Option<int?> pid,
        Option<int> width,
        Option<bool> force)
    {
        var path = result.GetRequiredValue(output);
        if (!path.EndsWith(".svg", StringComparison.OrdinalIgnoreCase))
        {
            throw new ToolException($"{path} does not end in .svg, and a flame graph is one", ExitCodes.Usage);
        }
        var file = OutputFile.Plan(path, result.GetValue(force));
        var reference = TraceReference.Parse(result.GetRequiredValue(trace));
        using var profile = Profile.Open(reference.Path);
        var question = new StackQuestion
        {
            By = Measures.Read(result.GetValue(by)),
            Moment = reference.Moment,
            Pid = result.GetValue(pid),
        };
        var (answer, root) = CostView.TopDown(profile, question, FlameGraph.LeastShare);
        var title = $"{Path.GetFileName(reference.Path)}, {answer.By.Name()}: {Words.Bytes(answer.Bytes)} in "
            + Words.Count(answer.Blocks, "block") + (profile.Info.Exact ? "" : " (estimates)");
        file.Write(stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            FlameGraph.Write(writer, title, root, answer.By == StackMeasure.Count, result.GetValue(width));
        });
        Messages.Say($"wrote {file.Path}");
    }

    /// <summary>Draws the growth of a trace at the usual size, for verbs that end in a picture.</summary>
    /// <exception cref="ToolException">The trace cannot be read or the file not be written.</exception>
    public static void DrawGrowth(string trace, PictureFile file) =>
        DrawGrowth(trace, null, file, (DefaultWidth, DefaultHeight));

    private static void DrawGrowth(string trace, int? pid, PictureFile file, (int Width, int Height) size)
    {
        if (TraceReference.Parse(trace) is { Moment: { } moment })
        {
            throw new ToolException($"a picture shows all of a trace, not @{moment}", ExitCodes.Usage);
        }
        using var profile = Profile.Open(trace);
        var question = new TimelineQuestion { Pid = pid, Stacks = StacksToAsk, Points = GrowthPicture.MostPoints / 2 };
        var series = GrowthSeries.From(profile, question, GrowthPicture.MostAreas);
        if (PictureFonts.Family is null)
        {
            Messages.Warn("no font is installed, so the picture has no words; install fonts-dejavu-core");
        }
        using var plot = GrowthPicture.Draw(series, size.Width, size.Height);
        file.Write(plot, size.Width, size.Height);
        Messages.Say($"wrote {file.Path}");
    }

    private static Option<int> Pixels(string name, int usual)
    {
        var option = new Option<int>(name)
        {
            HelpName = "PIXELS",
            Description = "Size of the picture.",
            DefaultValueFactory = _ => usual,
        };
        option.Validators.Add(result =>
        {
            // A text that is no number has its own message.
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var pixels)
                && pixels is < PictureFile.LeastPixels or > PictureFile.MostPixels)
            {
                result.AddError($"{name} takes {PictureFile.LeastPixels} to {PictureFile.MostPixels} pixels");
            }
        });
        return option;
    }
}
