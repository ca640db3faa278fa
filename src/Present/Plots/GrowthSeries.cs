using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Present.Plots;

/// <summary>What a picture of heap growth shows. Immutable once made; any thread.</summary>
public sealed record GrowthSeries
{
    /// <summary>The command, for the title.</summary>
    public required string Title { get; init; }

    /// <summary>A remark that belongs under the title, such as that the recording is incomplete; null without.</summary>
    public string? Remark { get; init; }

    /// <summary>False when figures are estimates of a sampled recording; the picture then says so.</summary>
    public bool IsExact { get; init; } = true;

    /// <summary>End of the recording, nanoseconds since the trace's start.</summary>
    public required long EndNs { get; init; }

    /// <summary>Live bytes over all stacks and resident memory, by rising time; never empty.</summary>
    public required IReadOnlyList<TimelinePoint> Points { get; init; }

    /// <summary>When <see cref="Areas"/> have their values, nanoseconds since the trace's start, rising.</summary>
    public required IReadOnlyList<long> AreaTimesNs { get; init; }

    /// <summary>Largest first, the rest last; together they stand for every live byte.</summary>
    public required IReadOnlyList<GrowthArea> Areas { get; init; }

    /// <summary>What the left axis measures.</summary>
    public string Quantity { get; init; } = "live native bytes";

    /// <summary>What the legend says of the line above the areas.</summary>
    public string LineLabel { get; init; } = "live, most at any moment";

    /// <summary>Whether the peak is marked.</summary>
    public bool MarksPeak { get; init; } = true;

    /// <summary>Another line over the areas: bytes at moments of its own; null: none.</summary>
    public (string Label, IReadOnlyList<(long TimeNs, long Bytes)> Points)? Second { get; init; }

    /// <summary>When all threads were held by the garbage collector, and for how long; shown below as ticks.</summary>
    public IReadOnlyList<GcPause> Pauses { get; init; } = [];

    /// <summary>When it changed which births were recorded, and how they were from then on; shown as lines from top to bottom.
    /// </summary>
    public IReadOnlyList<(long TimeNs, string Label)> Changes { get; init; } = [];

    /// <summary>The moment of most live bytes.</summary>
    public required Peak Peak { get; init; }

    /// <summary>The series of a trace: stacks that a person would call by the same name become one area.</summary>
    /// <param name="profile">The trace.</param>
    /// <param name="question">Which processes; more stacks than areas, since several may bear one name.</param>
    /// <param name="mostAreas">Areas with a name of their own; all else is the rest.</param>
    /// <param name="group">By stack, or by the module that called the allocation function.</param>
    /// <exception cref="ToolException">
    /// The trace cannot be read or nothing was recorded (exit code 4), or it has no such pid (2).
    /// </exception>
    public static GrowthSeries From(
        Profile profile, TimelineQuestion question, int mostAreas, CostGroup group = CostGroup.Stack)
    {
        var timeline = profile.Timeline(question);
        if (timeline.Points.Count == 0)
        {
            throw new ToolException($"{profile.Path} holds nothing to draw: no allocation was recorded", ExitCodes.Input);
        }
        var areas = question.Stacks == 0 ? [] : Divide(timeline, mostAreas, group);
        return new GrowthSeries
        {
            Title = TitleOf(profile, question.Pid),
            Remark = RemarkOn(profile),
            IsExact = profile.Info.Exact,
            EndNs = timeline.EndNs,
            Points = Hold(timeline, profile.Info.BucketNs ?? 0),
            AreaTimesNs = timeline.StackTimesNs,
            Areas = areas,
            Changes = ChangesOf(profile, question.Pid),
            Peak = timeline.Peak,
        };
    }

    // The command as one says it: without the folders it lies in.
    internal static string TitleOf(Profile profile, int? pid)
    {
        var command = profile.Processes.FirstOrDefault(process => pid is null || process.Pid == pid)?.Command
            ?? string.Join(' ', profile.Info.Command);
        var blank = command.IndexOf(' ', StringComparison.Ordinal);
        var end = blank < 0 ? command.Length : blank;
        return command[(command.LastIndexOf('/', Math.Max(end - 1, 0)) + 1)..];
    }

    // Processes that share a recording change at one moment.
    internal static IReadOnlyList<(long TimeNs, string Label)> ChangesOf(Profile profile, int? pid) =>
    [
        .. profile.Sampling(pid).Where(row => row.Reason != SamplingReasons.Start)
            .Select(row => (row.TimeNs, row.SampleBytes == 0 ? "every call recorded" : $"one in {Words.Bytes(row.SampleBytes)} sampled"))
            .Distinct(),
    ];

    internal static string? RemarkOn(Profile profile) => profile.Info switch
    {
        { Exact: false } => Figures.Remark,
        { Closed: false } => "the recording broke off, or still goes on",
        { Complete: false } => "incomplete: some events were not received",
        _ => null,
    };

    private static List<GrowthArea> Divide(HeapTimeline timeline, int most, CostGroup by)
    {
        var (label, noun) = by == CostGroup.Module
            ? ((Func<CallStack, string>)StackLabel.ModuleOf, "modules")
            : (StackLabel.Of, "stacks");
        var rest = timeline.OtherBytes.ToArray();
        var groups = timeline.Stacks
            .GroupBy(series => label(series.Stack), StringComparer.Ordinal)
            .Select(group => (Label: group.Key, Bytes: Sum(group, rest.Length)))
            .OrderByDescending(group => Weight(group.Bytes))
            .ToList();
        foreach (var (_, bytes) in groups.Skip(most))
        {
            Add(rest, bytes);
        }
        var areas = groups.Take(most).Select(group => new GrowthArea(group.Label, group.Bytes)).ToList();
        if (rest.Any(bytes => bytes > 0))
        {
            areas.Add(new GrowthArea(areas.Count == 0 ? $"all {noun}" : $"other {noun}", rest, IsRest: true));
        }
        return areas;
    }

    // Nothing is written of a bucket in which nothing happened: the heap stayed as it was until the next point's bucket
    // began, which a straight line from point to point would not show.
    private static List<TimelinePoint> Hold(HeapTimeline timeline, long bucketNs)
    {
        var points = new List<TimelinePoint>();
        foreach (var point in timeline.Points)
        {
            if (points.Count > 0 && point.TimeNs - points[^1].TimeNs > 2 * bucketNs)
            {
                points.Add(Still(points[^1], point.TimeNs - bucketNs));
            }
            points.Add(point);
        }
        if (points[^1].TimeNs < timeline.EndNs)
        {
            points.Add(Still(points[^1], timeline.EndNs));
        }
        return points;
    }

    private static TimelinePoint Still(TimelinePoint before, long timeNs) =>
        before with { TimeNs = timeNs, LivePeakBytes = before.LiveBytes };

    // What an area is worth: bytes times time, near enough, since times are nearly even.
    private static double Weight(long[] bytes) => bytes.Sum(value => (double)value);

    private static long[] Sum(IEnumerable<StackSeries> group, int count)
    {
        var sum = new long[count];
        foreach (var series in group)
        {
            Add(sum, series.Bytes);
        }
        return sum;
    }

    private static void Add(long[] sum, IReadOnlyList<long> part)
    {
        for (var i = 0; i < sum.Length; i++)
        {
            sum[i] = checked(sum[i] + part[i]);
        }
    }
}

/// <summary>One coloured area.</summary>
/// <param name="Label">What the legend says.</param>
/// <param name="Bytes">Live bytes at each of <see cref="GrowthSeries.AreaTimesNs"/>.</param>
/// <param name="IsRest">True for the one area that holds all that has no area of its own.</param>
public sealed record GrowthArea(string Label, IReadOnlyList<long> Bytes, bool IsRest = false);
