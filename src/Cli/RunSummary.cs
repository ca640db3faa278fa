using System.Globalization;
using System.Text;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present;

namespace NativeHeap.Cli;

/// <summary>What is said when a command has been recorded: totals, peak, the largest live stacks.</summary>
internal static class RunSummary
{
    private const int Stacks = 5;
    private const int FramesEach = 3;

    /// <summary>Reads the closed trace and says it.</summary>
    /// <exception cref="ToolException">The trace cannot be read.</exception>
    public static void Say(string trace)
    {
        using var profile = Profile.Open(trace);
        var text = new StringBuilder();
        SayTotals(profile, text);
        var live = profile.Ask(new StackQuestion { By = StackMeasure.Live, Top = Stacks });
        for (var i = 0; i < live.Stacks.Count; i++)
        {
            SayStack(i + 1, live.Stacks[i], Mark(profile), text);
        }
        text.Append(CultureInfo.InvariantCulture, $"wrote {profile.Path}; see nativeheap report {profile.Path}\n");
        Messages.Say(text.ToString());
    }

    /// <summary>What of the totals pools told of, in words; null: nothing.</summary>
    public static string? OfPools(Profile profile, int? pid)
    {
        var pools = profile.Pools(pid);
        var about = Mark(profile);
        return pools.Blocks == 0
            ? null
            : $"of the totals, pools of the program gave {about}{Words.Bytes(pools.Bytes)} in {about}{Words.Count(pools.Blocks, "block")} "
                + $"(live at the end {about}{Words.Bytes(pools.LiveBytes)} in {about}{Words.Count(pools.LiveBlocks, "block")}): "
                + "they lie in memory that is counted itself where malloc gave it\n";
    }

    // Exact also where the heap is sampled.
    private static string OfMappings(MappedTotals mapped)
    {
        var text = $"mapped by the program itself, apart from these: {Words.Bytes(mapped.MappedBytes)} in {Words.Count(mapped.Mappings, "mapping")}, "
            + $"mapped at the end {Words.Bytes(mapped.LiveBytes)} in {Words.Count(mapped.LiveMappings, "mapping")}";
        text += mapped.ReservedBytes == 0 ? "" : $", {Words.Bytes(mapped.ReservedBytes)} of it mapped without access";
        return $"{text}; see --mmap of nativeheap report\n";
    }

    // As reports mark estimates.
    private static string Mark(Profile profile) => profile.Info.Exact ? "" : "~";

    private static void SayTotals(Profile profile, StringBuilder text)
    {
        var totals = profile.Totals();
        var processes = profile.Processes.Count;
        var about = Mark(profile);
        text.Append(about).Append(Words.Bytes(totals.AllocatedBytes)).Append(" in ");
        text.Append(about).Append(Words.Count(totals.Allocations, "allocation"));
        text.Append(CultureInfo.InvariantCulture, $", {about}{Words.Count(totals.Frees, "free")}");
        text.Append(processes > 1 ? $", {Words.Count(processes, "process", "processes")}\n" : "\n");
        var peak = totals.Peak;
        text.Append(CultureInfo.InvariantCulture, $"peak {about}{Words.Bytes(peak.Bytes)} at {Words.Duration(peak.TimeNs)}");
        text.Append(peak.IsExact ? "" : $" (threads ran at once: {Words.Bytes(peak.LowBytes)} to {Words.Bytes(peak.HighBytes)})");
        text.Append(CultureInfo.InvariantCulture, $", live at the end {about}{Words.Bytes(totals.LiveBytes)} in {about}");
        text.Append(Words.Count(totals.LiveBlocks, "block")).Append('\n');
        text.Append(OfPools(profile, null));
        text.Append(profile.Mapped() is { } mapped ? OfMappings(mapped) : null);
        if (!profile.Info.Exact)
        {
            text.Append(Figures.Headline(profile.Info.SampleBytes, profile.SampledFromNs)).Append('\n');
        }
        if (profile.Info.LostEvents > 0)
        {
            text.Append(Words.Count(profile.Info.LostEvents, "event")).Append(" lost: figures are too low by those\n");
        }
        else if (!profile.Info.Complete)
        {
            text.Append("incomplete: not every event up to the last moment of each process was received\n");
        }
    }

    private static void SayStack(int number, StackCost cost, string about, StringBuilder text)
    {
        var frames = cost.Stack.Frames.Where(frame => frame.Marker is null).Take(FramesEach).Select(StackText.Name);
        text.Append(CultureInfo.InvariantCulture, $"{number}. {about}{Words.Bytes(cost.Bytes)} in {about}{Words.Count(cost.Blocks, "block")}: ");
        text.AppendJoin(" < ", frames.DefaultIfEmpty("(no caller known)")).Append('\n');
    }
}
