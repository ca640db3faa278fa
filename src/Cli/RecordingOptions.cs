using System.CommandLine;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph;
using NativeHeap.Model;
using NativeHeap.Present.Plots;

namespace NativeHeap.Cli;

/// <summary>What verbs that record to a trace have in common on their command lines.</summary>
internal sealed class RecordingOptions
{
    private readonly Option<string?> _output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "The trace (default nativeheap.<name>.<pid>.nheap).",
    };

    private readonly Option<bool> _force = new("--force") { Description = "Replace existing files." };

    private readonly Option<string?> _plot = new("--plot")
    {
        HelpName = "FILE",
        Description = "Draw how the heap grew, .png or .svg.",
    };

    private readonly Option<string> _follow;

    private readonly SnapshotSettings _snapshots = new();

    private readonly Option<long?> _sample = Quantities.SizeOption(
        "--sample", "Record samples, one in so many bytes on average: figures are estimates then, and cost next to nothing.");

    private readonly MmapSetting _mmap = new();

    private readonly Option<int?> _maxOverhead = MaxOverheadOption();

    /// <summary>The options.</summary>
    /// <param name="children">What <c>--follow-children</c> is about, for its help.</param>
    public RecordingOptions(string children)
    {
        _follow = new("--follow-children")
        {
            HelpName = "yes|no",
            Description = children,
            DefaultValueFactory = _ => "yes",
        };
        _follow.AcceptOnlyFromAmong("yes", "no");
    }

    /// <summary>Adds them to a verb.</summary>
    public void AddTo(Verb verb)
    {
        foreach (var option in (Option[])[_output, _force, _plot, _follow, .. _snapshots.Options, _sample, _mmap.Option, _maxOverhead])
        {
            verb.Add(option);
        }
    }

    /// <summary>The trace; null: by its default name.</summary>
    public string? Output(ParseResult result) => result.GetValue(_output);

    /// <summary>Whether an existing trace is replaced.</summary>
    public bool Force(ParseResult result) => result.GetValue(_force);

    /// <summary>The picture to draw at the end; null: none.</summary>
    /// <exception cref="ToolException">It cannot be drawn there.</exception>
    public PictureFile? Picture(ParseResult result) =>
        result.GetValue(_plot) is { } picture ? PictureFile.Plan(picture, Force(result)) : null;

    /// <summary>How it is recorded.</summary>
    /// <exception cref="ToolException">A value makes no sense.</exception>
    public SessionOptions Session(ParseResult result)
    {
        var sample = Quantities.Positive(result, _sample);
        var maxOverhead = result.GetValue(_maxOverhead);
        return sample is not null && maxOverhead is not null
            ? throw new ToolException(
                "--max-overhead records every call at first, and --sample never: give one of them", ExitCodes.Usage)
            : new SessionOptions
            {
                Examiner = new HeapExaminer(),
                Judge = LeakPlan.Usual.Judge,
                SampleBytes = SampleSetting.Choose(sample),
                Mappings = _mmap.Read(result),
                MaxOverhead = maxOverhead,
                OverheadExceeded = Messages.Say,
                FollowChildren = result.GetValue(_follow) == "yes",
                Snapshots = _snapshots.Read(result),
            };
    }

    /// <summary>The option that bounds what recording costs.</summary>
    public static Option<int?> MaxOverheadOption() => Quantities.PercentOption(
        "--max-overhead",
        1,
        200,
        "Record samples from the moment on at which every call would add more than this to a process's CPU time, by an estimate over about a second; say so, and stay with it.");
}
