using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>A report for people.</summary>
public sealed class ReportText
{
    private const int MaxProcesses = 20;

    private readonly TextCanvas _canvas;
    private readonly Report _report;

    private ReportText(TextCanvas canvas, Report report)
    {
        _canvas = canvas;
        _report = report;
    }

    /// <summary>Writes all of it.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="report">What.</param>
    /// <param name="view">Writes the costs in another form than by stack; null: by stack.</param>
    public static void Write(TextCanvas canvas, Report report, Action<TextCanvas>? view = null)
    {
        var text = new ReportText(canvas, report);
        text.WriteHeader();
        text.WriteTotals();
        text.WriteMapped();
        text.WriteProcesses();
        text.WriteLedger();
        text.WriteCostsHeading();
        if (view is null)
        {
            text.WriteStacks();
        }
        else
        {
            view(canvas);
        }
    }

    private void WriteHeader()
    {
        var info = _report.Info;
        var command = info.Command.Count > 0 ? string.Join(' ', info.Command) : _report.Processes[0].Command;
        _canvas.Line(Words.Printable(command ?? _report.Path), Emphasis.Strong);
        var when = info.StartUnixNs is { } start
            ? "recorded " + DateTime.UnixEpoch.AddTicks(start / 100).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)
                + " UTC" + (info.Host is { } host ? $" on {Words.Printable(host)}" : "") + ", "
            : "";
        var whole = info is { Closed: true, Complete: true, LostEvents: 0 } ? ", complete" : "";
        _canvas.Line($"{when}{Words.Duration(_report.Totals.DurationNs)}, {(info.Exact ? "exact" : Estimate())}{whole}");
        foreach (var missing in Missing())
        {
            _canvas.Line(missing, Emphasis.Warning);
        }
    }

    private string Estimate() => Present.Figures.Headline(_report.Info.SampleBytes, _report.SampledFromNs);

    /// <summary>What the figures lack; nothing when they are whole.</summary>
    private IEnumerable<string> Missing()
    {
        if (!_report.Info.Closed)
        {
            yield return "not closed: still being recorded, or its collector was stopped; up to the last commit all is there";
        }
        else if (!_report.Info.Complete)
        {
            yield return "incomplete: not every event up to the end was received" + IncompletePids();
        }

        if (_report.Info.LostEvents > 0)
        {
            yield return $"{Words.Count(_report.Info.LostEvents, "event")} lost: figures are too low by those";
        }
    }

    private string IncompletePids()
    {
        var pids = _report.Processes.Where(p => !p.Complete).Select(p => p.Pid).Distinct().ToList();
        return pids.Count is 0 or > MaxProcesses ? "" : $" (process {string.Join(", ", pids)})";
    }

    private Figures Figures => new(_report.Info.Exact);

    private string Bytes(long bytes) => Figures.Bytes(bytes);

    private string Blocks(long blocks) => Figures.Count(blocks, "block");

    // Mappings are counted exactly also where the heap is sampled.
    private string CostBytes(long bytes) => new Figures(_report.Answer.IsExact).Bytes(bytes);

    private string CostBlocks(long blocks) => new Figures(_report.Answer.IsExact).Count(blocks, _report.Answer.Noun);

    private void WriteTotals()
    {
        var totals = _report.Totals;
        var count = _report.Processes.Count;
        Heading(_report.Pid is { } pid ? $"Totals of process {pid}" : count == 1 ? "Totals" : $"Totals of {count} processes");
        var table = new TextTable(LastColumn.Fold, false, true, true, false);
        table.Add("allocated", Bytes(totals.AllocatedBytes), Blocks(totals.Allocations), "");
        table.Add("freed", Bytes(totals.FreedBytes), Blocks(totals.Frees), "");
        table.Add(EndWord, Bytes(totals.LiveBytes), Blocks(totals.LiveBlocks), "");
        table.Add("peak", Bytes(totals.Peak.Bytes), Blocks(totals.Peak.Blocks), PeakRemark(totals.Peak));
        table.Add(
            "temporary",
            "",
            Blocks(totals.TemporaryAllocations),
            Remark(Words.Share(totals.TemporaryAllocations, totals.Allocations), " of all allocations"));
        AddWhenAny(table, "missed", totals.MissedCalls, "call", "passed without being recorded");
        AddWhenAny(table, "inherited", totals.InheritedFrees, "free", "of blocks a fork's parent had made; not in freed");
        AddWhenAny(table, "earlier", totals.EarlierFrees, "free", "of blocks from before the attach; not in freed");
        AddWhenAny(table, "foreign", totals.ForeignFrees, "free", "of blocks never seen made; not in freed");
        table.Write(_canvas);
    }

    private void WriteMapped()
    {
        if (_report.Mapped is not { } mapped)
        {
            return;
        }

        Heading("Mapped by the program itself, apart from these");
        var table = new TextTable(LastColumn.Fold, false, true, true, false);
        table.Add("mapped", Words.Bytes(mapped.MappedBytes), Words.Count(mapped.Mappings, "mapping"), "");
        table.Add("unmapped", Words.Bytes(mapped.UnmappedBytes), Words.Count(mapped.Unmappings, "mapping"), "");
        var reserved = mapped.ReservedBytes == 0 ? "" : $"{Words.Bytes(mapped.ReservedBytes)} of it mapped without access";
        table.Add(MappedEndWord, Words.Bytes(mapped.LiveBytes), Words.Count(mapped.LiveMappings, "mapping"), reserved);
        if (mapped.Peak is { } peak)
        {
            table.Add(
                mapped.Processes > 1 ? "peak of one process" : "peak", Words.Bytes(peak.Bytes),
                Words.Count(peak.Mappings, "mapping"), "at " + Words.Duration(peak.TimeNs));
        }

        table.Write(_canvas);
    }

    private static string Remark(string share, string of) => share.Length == 0 ? "" : share + of;

    private static void AddWhenAny(TextTable table, string name, long count, string noun, string remark)
    {
        if (count != 0)
        {
            table.Add(name, "", Words.Count(count, noun), remark);
        }
    }

    /// <summary>Of a trace that was not closed, the end is not known.</summary>
    private string EndWord => _report.Info.Closed ? "live at the end" : "live so far";

    private string MappedEndWord => _report.Info.Closed ? "mapped at the end" : "mapped so far";

    private static string PeakRemark(Peak peak)
    {
        var when = "at " + Words.Duration(peak.TimeNs);
        return peak.IsExact
            ? when
            : $"{when}, known to lie between {Words.Bytes(peak.LowBytes)} and {Words.Bytes(peak.HighBytes)}";
    }

    private void WriteProcesses()
    {
        var notes = _report.Processes.Where(p => p.Note is not null && Selected(p)).ToList();
        if (_report.Processes.Count > 1 && _report.Pid is null)
        {
            WriteProcessTable();
        }

        foreach (var process in notes.Take(MaxProcesses))
        {
            _canvas.Line($"  process {process.Pid}: {Words.Printable(process.Note!)}", Emphasis.Warning);
        }
    }

    private bool Selected(ProcessInfo process) => _report.Pid is null || process.Pid == _report.Pid;

    private void WriteProcessTable()
    {
        Heading("Processes");
        var table = new TextTable(LastColumn.Cut, true, false, true, true, true, true, false);
        table.AddFaint("pid", "ended", "allocated", "blocks", "peak", "live", "command");
        var first = _report.Processes[0];
        var shown = _report.Processes.Skip(1).OrderByDescending(p => p.Totals.AllocatedBytes).Take(MaxProcesses - 1);
        foreach (var process in shown.OrderBy(p => p.Id.Value).Prepend(first))
        {
            table.Add(
                process.Pid.ToString(CultureInfo.InvariantCulture),
                Ending(process),
                Bytes(process.Totals.AllocatedBytes),
                Words.Count(process.Totals.Allocations),
                Bytes(process.Totals.Peak.Bytes),
                Bytes(process.Totals.LiveBytes),
                Words.Printable(process.Command ?? process.Executable ?? ""));
        }

        table.Write(_canvas);
        if (_report.Processes.Count > MaxProcesses)
        {
            _canvas.Line($"  … and {_report.Processes.Count - MaxProcesses} that allocated less", Emphasis.Faint);
        }
    }

    private static string Ending(ProcessInfo process) => process.Ending switch
    {
        null => "running",
        ProcessEnding.Exit => process.ExitCode is { } code ? $"exit {code}" : "exited",
        ProcessEnding.Signal => process.Signal is { } signal ? $"signal {signal}" : "by a signal",
        ProcessEnding.Exec => "exec",
        ProcessEnding.Detached => "detached",
        _ => "unknown",
    };

    private void WriteLedger()
    {
        if (_report.Ledger is not { } ledger || !Selected(_report.Processes[0]))
        {
            return;
        }

        Heading($"Resident memory of process {_report.Processes[0].Pid} at {Words.Duration(ledger.TimeNs)}");
        var table = new TextTable(LastColumn.Fold, false, true, true);
        foreach (var part in ledger.Parts.Where(part => part.Bytes != 0).Append(new LedgerPart("unexplained", ledger.UnexplainedBytes)))
        {
            table.Add(Words.Printable(part.Name), Words.Bytes(part.Bytes), Words.Share(part.Bytes, ledger.RssBytes));
        }

        table.Add("all (RSS)", Words.Bytes(ledger.RssBytes), "");
        table.Write(_canvas);
        WriteBesideLedger();
        WriteRetention(ledger);
    }

    private void WriteBesideLedger()
    {
        const long worthSaying = 1 << 20;
        if (_report.Untouched is { } untouched and >= worthSaying)
        {
            _canvas.Line($"Of its live native blocks {Words.Bytes(untouched)} more were asked for and never touched.");
        }

        if (_report.Collections is { } gc)
        {
            var used = gc.UsedBytes is { } bytes ? $"{Words.Bytes(bytes)} of objects after the last collection, " : "";
            var committed = gc.CommittedBytes is { } all ? $"{Words.Bytes(all)} committed, " : "";
            _canvas.Line(
                $"GC heap: {used}{committed}{Words.Count(gc.Pauses, "pause")} of {Words.Duration(gc.PauseNs)} in all"
                + (gc.Pauses > 0 ? $", the longest {Words.Duration(gc.LongestPauseNs)}." : "."));
            if (gc.UsedBytes is { } live && ResidentGc() is var kept && kept - live >= Much && kept >= 2 * live && kept >= _report.Ledger!.RssBytes / 10)
            {
                _canvas.Line(
                    "Most of the GC heap that is resident held no objects then; DOTNET_GCConserveMemory=9 or "
                    + "DOTNET_GCHeapHardLimit in the environment, or gcServer=false, keep less.", Emphasis.Warning);
            }
        }
    }

    private long ResidentGc() => _report.Ledger!.Parts.Where(part => part.Name == "GC heap").Sum(part => part.Bytes);

    private const long Much = 8 << 20;

    // Worth a word where it is much, and much of all.
    private void WriteRetention(Ledger ledger)
    {
        if (_report.KeptByMalloc is { } kept && kept >= Much && kept >= ledger.RssBytes / 10)
        {
            _canvas.Line(
                $"At least {Words.Bytes(kept)} of the malloc heap was freed by the program and is kept by malloc. malloc_trim(0) gives "
                + "whole free pages back; with many threads MALLOC_ARENA_MAX=2 in the environment keeps less.",
                Emphasis.Warning);
        }
    }

    private void WriteCostsHeading()
    {
        var answer = _report.Answer;
        Heading(
            $"{Title(answer)}: {CostBytes(answer.Bytes)} in {CostBlocks(answer.Blocks)}, "
            + Words.Count(answer.StackCount, "stack"));
    }

    private void WriteStacks()
    {
        var answer = _report.Answer;
        var number = 0;
        var shown = 0L;
        foreach (var cost in answer.Stacks)
        {
            shown += cost.Bytes;
            WriteStack(++number, cost, answer);
        }

        if (answer.Stacks.Count < answer.StackCount)
        {
            var left = answer.StackCount - answer.Stacks.Count;
            _canvas.Line(
                $"… and {Words.Count(left, "more stack")} with {CostBytes(answer.Bytes - shown)} (--top {answer.StackCount} shows all)",
                Emphasis.Faint);
        }
    }

    private void WriteStack(int number, StackCost cost, StackAnswer answer)
    {
        var byBlocks = answer.By == StackMeasure.Count;
        var share = byBlocks ? Words.Share(cost.Blocks, answer.Blocks) : Words.Share(cost.Bytes, answer.Bytes);
        var (first, second) = (CostBytes(cost.Bytes), CostBlocks(cost.Blocks));
        if (byBlocks)
        {
            (first, second) = (second, first);
        }

        var entry = cost.Stack.Entry?.Name() ?? "an unknown function";
        _canvas.Write($"{number.ToString(CultureInfo.InvariantCulture),5}. ", Emphasis.Faint);
        _canvas.Write(first, Emphasis.Strong);
        _canvas.Line($"{(share.Length > 0 ? $"  {share}" : "")}  {second} by {entry}");
        StackText.WriteFrames(_canvas, cost.Stack);
        _canvas.Line();
    }

    private string Title(StackAnswer answer)
    {
        var title = TitleOf(answer);
        if (answer.Sizes is { } sizes)
        {
            title += $", blocks of {Words.Bytes(sizes.Low)} to {(sizes.High is { } high ? Words.Bytes(high) : "any size")} (powers of two)";
        }

        if (answer.LifetimesUs is { } lives)
        {
            title += $", blocks that lived {Words.Duration(lives.Low * 1000)} to "
                + $"{(lives.High is { } high ? Words.Duration(Math.Min(high, long.MaxValue / 1000) * 1000) : "any time")} (powers of two)";
        }

        title += answer.Tid is { } tid ? $", by thread {tid}" : "";
        return title + (answer.Module is { } module ? $", through {Words.Printable(module)}" : "");
    }

    private string TitleOf(StackAnswer answer)
    {
        if (answer is { By: StackMeasure.Freed, FromNs: { } since })
        {
            return $"Freed from {Words.Duration(since)} " + (answer.ToNs is { } until ? $"to {Words.Duration(until)}" : "on") + Edges(answer);
        }

        if (answer.FromNs is { } from)
        {
            var range = answer.ToNs is { } to
                ? $"Allocated from {Words.Duration(from)} to {Words.Duration(to)}"
                : $"Allocated from {Words.Duration(from)} on";
            var then = answer.By switch
            {
                StackMeasure.Live when answer.ToNs is not null => " and alive then",
                StackMeasure.Live => " and alive at the end",
                StackMeasure.Leaked => " and alive when the process ended",
                _ => "",
            };
            return range + then + Edges(answer);
        }

        return answer.OfMappings ? MappedTitle(answer) : answer.By switch
        {
            StackMeasure.Live when answer.Snapshot is { } snapshot =>
                $"Live at snapshot {Words.Printable(snapshot.Name ?? Words.Count(snapshot.Number))}, {Words.Duration(snapshot.TimeNs)}",
            StackMeasure.Live when answer.AtNs is { } at => $"Live at {Words.Duration(at)}{Edges(answer)}",
            StackMeasure.Live => _report.Info.Closed ? "Live at the end" : "Live so far",
            StackMeasure.Peak => "Live at the peak",
            StackMeasure.Allocated => "Allocated ever, largest first",
            StackMeasure.Count => "Allocated ever, most blocks first",
            StackMeasure.Temporary => "Temporary",
            StackMeasure.Leaked => "Alive when the process ended",
            StackMeasure.Freed => "Freed",
            _ => throw new ArgumentOutOfRangeException(nameof(answer)),
        };
    }

    private string MappedTitle(StackAnswer answer) => answer.By switch
    {
        StackMeasure.Peak => "Mapped at the peak",
        StackMeasure.Allocated => "Mapped ever, largest first",
        StackMeasure.Count => "Mapped ever, most mappings first",
        StackMeasure.Freed => "Unmapped",
        StackMeasure.Leaked => "Mapped when the process ended",
        _ when answer.Snapshot is { } snapshot =>
            $"Mapped at snapshot {Words.Printable(snapshot.Name ?? Words.Count(snapshot.Number))}, {Words.Duration(snapshot.TimeNs)}",
        _ => _report.Info.Closed ? "Mapped at the end" : "Mapped so far",
    };

    /// <summary>What was asked is answered exactly at the edges of buckets, so those were taken.</summary>
    private static string Edges(StackAnswer answer) =>
        answer.BucketNs is { } width ? $" (edges of {Words.Duration(width)} buckets)" : "";

    private void Heading(string text)
    {
        _canvas.Line();
        _canvas.Line(text, Emphasis.Strong);
    }
}
