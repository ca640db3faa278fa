using System.CommandLine;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;
using ScottPlot;

namespace NativeHeap.Cli;

/// <summary><c>plot</c>: a picture of a trace, or of two.</summary>
internal static class PlotVerb
{
    private const int DefaultWidth = 1200;
    private const int DefaultHeight = 675;

    private const string Growth = "growth", Ledger = "ledger", Live = "live", Sizes = "sizes", Lifetimes = "lifetimes";
    private const string Compare = "compare", Flame = "flame", FlameDiff = "flame-diff";

    // More stacks than areas: several may bear one name and become one area.
    private const int StacksToAsk = 64;

    private static readonly string[] Kinds = [Growth, Ledger, Live, Sizes, Lifetimes, Compare, Flame, FlameDiff];

    private static readonly Argument<string[]> Traces = new("TRACE")
    {
        Description = "The trace to draw; two with compare and flame-diff. Flame graphs also take TRACE@NAME, @1, @peak.",
        Arity = new ArgumentArity(1, 2),
    };

    private static readonly Option<string> Output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "The picture, .png or .svg.",
        Required = true,
    };

    private static readonly Option<string> Kind = new("--kind")
    {
        HelpName = string.Join('|', Kinds),
        Description = "What to draw: growth (live bytes over time by stack, and RSS), ledger (where resident memory is), live "
            + "(live bytes and the rate of allocation), sizes and lifetimes (histograms), compare (live bytes of two traces), flame "
            + "(a flame graph to zoom and search in a browser; .svg), flame-diff (what grew and shrank between two).",
        DefaultValueFactory = _ => Growth,
    };

    private static readonly Option<string?> By = new("--by")
    {
        HelpName = string.Join('|', StackMeasures.Names),
        Description = "What the boxes of a flame graph are as wide as (default live).",
    };

    private static readonly Option<string?> Group = new("--group")
    {
        HelpName = "stack|module",
        Description = "What the areas of growth are (default stack).",
    };

    private static readonly Option<string> Theme = new("--theme")
    {
        HelpName = "light|dark",
        Description = "Colours (default light; flame graphs follow the browser).",
        DefaultValueFactory = _ => "light",
    };

    private static readonly Option<int?> Pid = Quantities.NumberOption("--pid", "N", "Only the processes of this pid.");
    private static readonly Option<int> Width = Pixels("--width", DefaultWidth);
    private static readonly Option<int> Height = Pixels("--height", DefaultHeight);
    private static readonly Option<bool> Force = new("--force") { Description = "Replace an existing file." };

    public static Verb Create()
    {
        Kind.AcceptOnlyFromAmong(Kinds);
        By.AcceptOnlyFromAmong([.. StackMeasures.Names]);
        Group.AcceptOnlyFromAmong("stack", "module", NoTypes.Name);
        Theme.AcceptOnlyFromAmong("light", "dark");
        var verb = new Verb(
            "plot",
            "Draws how the heap grew, or who allocated it.",
            "nativeheap plot server.nheap -o heap.png",
            "nativeheap plot server.nheap --kind ledger --theme dark -o memory.svg --width 1600 --height 900",
            "nativeheap plot server.nheap@peak --kind flame -o flame.svg",
            "nativeheap plot monday.nheap friday.nheap --kind flame-diff -o grown.svg")
        {
            Traces, Output, Kind, By, Group, Theme, Pid, Width, Height, Force,
        };
        verb.SetAction(Run);
        return verb;
    }

    /// <summary>Draws the growth of a trace at the usual size, for verbs that end in a picture.</summary>
    /// <exception cref="ToolException">The trace cannot be read or the file not be written.</exception>
    public static void DrawGrowth(string trace, PictureFile file)
    {
        using var profile = Profile.Open(trace);
        Write(file, GrowthPicture.Draw(SeriesOf(profile, null), DefaultWidth, DefaultHeight), (DefaultWidth, DefaultHeight));
    }

    private static int Run(ParseResult result)
    {
        var kind = result.GetRequiredValue(Kind);
        var traces = result.GetRequiredValue(Traces).Select(TraceReference.Parse).ToList();
        var isFlame = kind is Flame or FlameDiff;
        Require((traces.Count == 2) == (kind is Compare or FlameDiff), $"--kind {kind} takes {(traces.Count == 2 ? "one trace" : "two traces")}");
        Require(result.GetValue(By) is null || isFlame, "--by goes with --kind flame and flame-diff");
        Require(result.GetValue(Group) is null || kind == Growth, "--group goes with --kind growth");
        NoTypes.Refuse(result.GetValue(Group));
        Require(result.GetValue(Pid) is null || traces.Count == 1, "--pid goes with one trace");
        if (isFlame)
        {
            FlamePlot.Draw(
                traces,
                result.GetRequiredValue(Output),
                result.GetValue(Force),
                new StackQuestion { By = Measures.Read(result.GetValue(By)), Pid = result.GetValue(Pid) },
                result.GetValue(Width));
            return ExitCodes.Success;
        }
        foreach (var (_, moment) in traces.Select(trace => (trace.Path, trace.Moment)))
        {
            Require(moment is null, $"a picture of --kind {kind} shows all of a trace, not @{moment}");
        }
        var file = PictureFile.Plan(result.GetRequiredValue(Output), result.GetValue(Force));
        using var profile = Profile.Open(traces[0].Path);
        using var second = traces.Count == 2 ? Profile.Open(traces[1].Path) : null;
        var size = (result.GetValue(Width), result.GetValue(Height));
        Write(file, PlotOf(kind, profile, second, result, size), size);
        return ExitCodes.Success;
    }

    private static Plot PlotOf(string kind, Profile profile, Profile? second, ParseResult result, (int Width, int Height) size)
    {
        var theme = result.GetValue(Theme) == "dark" ? PictureTheme.Dark : PictureTheme.Light;
        var pid = result.GetValue(Pid);
        var group = result.GetValue(Group) == "module" ? CostGroup.Module : CostGroup.Stack;
        return kind switch
        {
            Growth => GrowthPicture.Draw(SeriesOf(profile, pid, group), size.Width, size.Height, theme),
            Ledger => GrowthPicture.Draw(LedgerSeries.From(profile, pid, GrowthPicture.MostAreas), size.Width, size.Height, theme),
            Live => LinePictures.LiveAndRate(SumsOf(profile, pid), size, theme),
            Sizes => HistogramPicture.Draw(profile, HistogramKind.Size, pid, size, theme),
            Lifetimes => HistogramPicture.Draw(profile, HistogramKind.Lifetime, pid, size, theme),
            Compare => LinePictures.Compare(Named(profile), Named(second!), size, theme),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    private static (string Name, GrowthSeries Series) Named(Profile profile) =>
        (Path.GetFileName(profile.Path), SumsOf(profile, null));

    private static GrowthSeries SumsOf(Profile profile, int? pid) => GrowthSeries.From(
        profile, new TimelineQuestion { Pid = pid, Stacks = 0, Points = GrowthPicture.MostPoints / 2 }, GrowthPicture.MostAreas);

    private static GrowthSeries SeriesOf(Profile profile, int? pid, CostGroup group = CostGroup.Stack)
    {
        var question = new TimelineQuestion { Pid = pid, Stacks = StacksToAsk, Points = GrowthPicture.MostPoints / 2 };
        return GrowthSeries.From(profile, question, GrowthPicture.MostAreas, group);
    }

    private static void Write(PictureFile file, Plot plot, (int Width, int Height) size)
    {
        if (PictureFonts.Family is null)
        {
            Messages.Warn("no font is installed, so the picture has no words; install fonts-dejavu-core");
        }
        using (plot)
        {
            file.Write(plot, size.Width, size.Height);
        }
        Messages.Say($"wrote {file.Path}");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ToolException(message, ExitCodes.Usage);
        }
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
