using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>plot</c>: a picture of a trace.</summary>
internal static class PlotVerb
{
    private const int DefaultWidth = 1200;
    private const int DefaultHeight = 675;

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
            Description = "What to draw: growth (live bytes over time by stack, and RSS).",
            DefaultValueFactory = _ => "growth",
        };
        kind.AcceptOnlyFromAmong("growth");
        var pid = Quantities.NumberOption("--pid", "N", "Only the processes of this pid.");
        var width = Pixels("--width", DefaultWidth);
        var height = Pixels("--height", DefaultHeight);
        var force = new Option<bool>("--force") { Description = "Replace an existing file." };
        var verb = new Verb(
            "plot",
            "Draws how the heap grew.",
            "nativeheap plot server.nheap -o heap.png",
            "nativeheap plot server.nheap -o heap.svg --width 1600 --height 900")
        {
            trace, output, kind, pid, width, height, force,
        };
        verb.SetAction(result =>
        {
            var file = PictureFile.Plan(result.GetRequiredValue(output), result.GetValue(force));
            var size = (result.GetValue(width), result.GetValue(height));
            DrawGrowth(result.GetRequiredValue(trace), result.GetValue(pid), file, size);
            return ExitCodes.Success;
        });
        return verb;
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
