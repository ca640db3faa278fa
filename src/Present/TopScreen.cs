using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>The picture that <c>top</c> draws: lines that fit a terminal, the first ones figures, then stacks.</summary>
public static class TopScreen
{
    /// <summary>Lines that are no stacks.</summary>
    public const int OtherLines = 7;

    private const int Innermost = 8; // frames that are looked at for names
    private const string Keys = "l live  g grown  a allocated  p peak  space freeze  s snapshot  q quit";

    /// <summary>Draws.</summary>
    /// <param name="look">What is shown.</param>
    /// <param name="before">The look before it, for rates; null: there was none.</param>
    /// <param name="seconds">Seconds between the two.</param>
    /// <param name="message">What the last line says instead of the keys; null: the keys.</param>
    /// <param name="width">Columns, at least 40.</param>
    /// <param name="height">Lines, at least 10; no more are given.</param>
    public static IReadOnlyList<string> Draw(
        TopLook look, TopLook? before, double seconds, string? message, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(look);
        var totals = look.Totals;
        var lines = new List<string>
        {
            Title(look),
            $"live {Words.Bytes(totals.LiveBytes)} in {Words.Count(totals.LiveBlocks, "block")}   "
                + $"peak {Words.Bytes(totals.Peak.Bytes)} at {Words.Duration(totals.Peak.TimeNs)}",
            Rates(look, before, seconds),
            Resident(look.Ledger),
            "",
            Heading(look.Order),
        };
        lines.AddRange(look.Stacks.Select(Describe).Take(Math.Max(0, height - OtherLines)));
        while (lines.Count < height - 1)
        {
            lines.Add("");
        }
        lines.Add(message ?? Keys);
        return [.. lines.Select(line => Cut(line, width))];
    }

    private static string Title(TopLook look)
    {
        var name = look.Process.Executable is { } path ? Path.GetFileName(path) : "process";
        var state = look.Process.EndNs is null ? "" : "   ended";
        var exactness = look.IsExact ? "" : "   sampled: figures are estimates";
        return Words.Printable($"{name} {look.Process.Pid.ToString(CultureInfo.InvariantCulture)}   "
            + $"{Words.Duration(look.Totals.DurationNs)}{state}{exactness}");
    }

    private static string Rates(TopLook look, TopLook? before, double seconds)
    {
        if (before is null || seconds <= 0)
        {
            return $"{Words.Count(look.Totals.Allocations, "allocation")} so far, {Words.Count(look.Totals.Frees, "free")}";
        }
        var calls = (long)((look.Totals.Allocations - before.Totals.Allocations) / seconds);
        var bytes = (long)((look.Totals.AllocatedBytes - before.Totals.AllocatedBytes) / seconds);
        var growth = look.Totals.LiveBytes - before.Totals.LiveBytes;
        var change = growth < 0 ? "-" + Words.Bytes(-growth) : "+" + Words.Bytes(growth);
        return $"{Words.Count(calls)} allocations/s, {Words.Bytes(bytes)}/s, live {change} since the last look";
    }

    private static string Resident(Ledger? ledger) => ledger is null
        ? "resident memory: not looked at yet"
        : $"RSS {Words.Bytes(ledger.RssBytes)}: " + string.Join(
            ", ", ledger.Parts.OrderByDescending(part => part.Bytes).Take(4).Select(part => $"{part.Name} {Words.Bytes(part.Bytes)}"));

    private static string Heading(TopOrder order)
    {
        var what = order switch
        {
            TopOrder.Grown => "allocated in the last minute and live now",
            TopOrder.Allocated => "allocated ever",
            TopOrder.Peak => "live at the peak",
            _ => "live now",
        };
        return $"{"bytes",11} {"blocks",11}   {what}";
    }

    private static string Describe(StackCost cost)
    {
        var names = cost.Stack.Frames.Where(frame => frame.Marker is null).Take(Innermost).Select(StackText.Name);
        return $"{Words.Bytes(cost.Bytes),11} {Words.Count(cost.Blocks),11}   "
            + string.Join(" < ", names.DefaultIfEmpty("(no caller known)"));
    }

    /// <summary>A line that fits, with a sign where it is cut.</summary>
    internal static string Cut(string line, int width) => line.Length <= width ? line : line[..(width - 1)] + "…";
}
