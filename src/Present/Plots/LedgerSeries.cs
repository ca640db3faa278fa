using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Plots;

/// <summary>Where resident memory was over time, as stacked areas.</summary>
public static class LedgerSeries
{
    private const string Unexplained = "unexplained";

    /// <summary>The series of the process that was started, or of a pid.</summary>
    /// <param name="profile">The trace.</param>
    /// <param name="pid">Null: the first.</param>
    /// <param name="mostAreas">Parts with an area of their own; all else is the rest.</param>
    /// <exception cref="ToolException">Nobody looked (exit code 4), or there is no such pid (2).</exception>
    public static GrowthSeries From(Profile profile, int? pid, int mostAreas)
    {
        ArgumentNullException.ThrowIfNull(profile);
        var chosen = pid ?? profile.Processes[0].Pid;
        var ledgers = profile.Ledgers(chosen);
        if (ledgers.Count == 0)
        {
            throw new ToolException($"{profile.Path} holds no look at the resident memory of process {chosen}", ExitCodes.Input);
        }

        var parts = ledgers.SelectMany(ledger => ledger.Parts).Select(part => part.Name).Distinct(StringComparer.Ordinal)
            .Select(name => (Name: name, Bytes: Series(ledgers, name)))
            .OrderByDescending(part => part.Bytes.Sum(bytes => (double)bytes))
            .ToList();
        var areas = parts.Take(mostAreas).Select(part => new GrowthArea(part.Name, part.Bytes)).ToList();
        var rest = ledgers.Select((ledger, i) => ledger.RssBytes - areas.Sum(area => area.Bytes[i])).ToArray();
        areas.Add(new GrowthArea(parts.Count > mostAreas ? "other parts" : Unexplained, [.. rest.Select(bytes => Math.Max(0, bytes))], IsRest: true));
        var used = profile.Gauges(chosen).Where(gauge => gauge.Name == LedgerGauges.GcUsed)
            .Select(gauge => (gauge.TimeNs, gauge.Bytes)).ToList();
        if (used.Count > 0)
        {
            used.Add((Math.Max(used[^1].TimeNs, ledgers[^1].TimeNs), used[^1].Bytes));
        }
        return new GrowthSeries
        {
            Title = $"resident memory of {GrowthSeries.TitleOf(profile, pid)}",
            Remark = GrowthSeries.RemarkOn(profile),
            EndNs = ledgers[^1].TimeNs,
            Points = [.. ledgers.Select(ledger => new TimelinePoint(ledger.TimeNs, ledger.RssBytes, ledger.RssBytes, null))],
            AreaTimesNs = [.. ledgers.Select(ledger => ledger.TimeNs)],
            Areas = areas,
            Quantity = "resident bytes",
            LineLabel = "all (RSS)",
            MarksPeak = false,
            Second = used.Count == 0 ? null : ("GC heap used", used),
            Pauses = profile.Pauses(chosen),
            Peak = new Peak { Bytes = ledgers.Max(ledger => ledger.RssBytes) },
        };
    }

    private static long[] Series(IReadOnlyList<Ledger> ledgers, string name) =>
        [.. ledgers.Select(ledger => ledger.Parts.Where(part => part.Name == name).Sum(part => part.Bytes))];
}
