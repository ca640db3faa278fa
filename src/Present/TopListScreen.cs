using System.Globalization;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>A process that is being recorded.</summary>
/// <param name="Pid">In our namespace.</param>
/// <param name="Program">Its file's name.</param>
/// <param name="Totals">As of the look.</param>
/// <param name="Trace">The trace's path.</param>
public sealed record TopListRow(int Pid, string Program, Totals Totals, string Trace);

/// <summary>The list that <c>top</c> draws of all processes that are being recorded.</summary>
public static class TopListScreen
{
    private const string Keys = "l live  g grown  a allocated  p peak  q quit      one process: top -p PID";

    /// <summary>Draws.</summary>
    /// <param name="rows">What is shown.</param>
    /// <param name="before">The look before it; a process that was not in it has not grown.</param>
    /// <param name="seconds">Seconds between the two.</param>
    /// <param name="order">By live bytes, their growth since the look before, bytes allocated ever, or the peak.</param>
    /// <param name="width">Columns, at least 40.</param>
    /// <param name="height">Lines, at least 10; no more are given. <see cref="int.MaxValue"/>: the rows alone, all of them.</param>
    public static IReadOnlyList<string> Draw(
        IReadOnlyList<TopListRow> rows, IReadOnlyList<TopListRow> before, double seconds, TopOrder order, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(before);
        var growth = rows.ToDictionary(row => row.Pid, row =>
            before.FirstOrDefault(other => other.Pid == row.Pid) is { } last ? row.Totals.LiveBytes - last.Totals.LiveBytes : 0);
        var lines = new List<string> { $"{"pid",8} {"live",11} {"blocks",11} {"peak",11} {"growth/s",11}   program, trace" };
        lines.AddRange(rows
            .OrderByDescending(row => order switch
            {
                TopOrder.Grown => growth[row.Pid],
                TopOrder.Allocated => row.Totals.AllocatedBytes,
                TopOrder.Peak => row.Totals.Peak.Bytes,
                _ => row.Totals.LiveBytes,
            })
            .ThenBy(row => row.Pid)
            .Take(height - 2)
            .Select(row => Describe(row, seconds > 0 ? growth[row.Pid] / seconds : 0)));
        if (rows.Count == 0)
        {
            lines.Add("nothing that we may look at is being recorded");
        }

        if (height == int.MaxValue)
        {
            return lines;
        }

        while (lines.Count < height - 1)
        {
            lines.Add("");
        }

        lines.Add(rows.Count > height - 2 ? $"{rows.Count - height + 2} more do not fit   {Keys}" : Keys);
        return [.. lines.Select(line => TopScreen.Cut(line, width))];
    }

    private static string Describe(TopListRow row, double growth)
    {
        var sign = growth < 0 ? "-" : "+";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Pid,8} {Words.Bytes(row.Totals.LiveBytes),11} {Words.Count(row.Totals.LiveBlocks),11} "
            + $"{Words.Bytes(row.Totals.Peak.Bytes),11} {sign + Words.Bytes((long)Math.Abs(growth)),11}   "
            + $"{Words.Printable(row.Program)}  {Words.Printable(row.Trace)}");
    }
}
