using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Graph;

namespace NativeHeap.Present;

/// <summary>A heap-check for people.</summary>
public static class LeakText
{
    /// <summary>Writes a check's leaks; the last line is <see cref="LeakWords.LastLine"/>, once for all processes.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="check">The check.</param>
    /// <param name="kinds">Kinds of leaks that are shown.</param>
    /// <param name="top">How many.</param>
    public static void Write(TextCanvas canvas, LeakCheck check, IReadOnlySet<LeakKind> kinds, int top)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(check);
        var shown = check.Leaks.Where(leak => kinds.Contains(leak.Kind)).ToList();
        if (shown.Count > 0 || check.Notes.Count > 0)
        {
            canvas.Line($"process {check.Process.Pid}  {check.Process.Command}");
        }

        foreach (var leak in shown.Take(top))
        {
            canvas.Line(Head(leak));
            WriteDetails(canvas, leak);
            StackText.WriteFrames(canvas, leak.Stack);
        }

        if (shown.Count > top)
        {
            canvas.Line($"… {Words.Count(shown.Count - top, "more leak")} (--json has them all)");
        }

        foreach (var note in check.Notes)
        {
            canvas.Line("note: " + Words.Printable(note));
        }
    }

    /// <summary>Writes the table of suppressions that were used, as LeakSanitizer does; nothing when none was.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="checks">The checks of all processes.</param>
    public static void WriteSuppressions(TextCanvas canvas, IReadOnlyList<LeakCheck> checks)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(checks);
        var uses = checks.SelectMany(check => check.SuppressionsUsed).GroupBy(use => use.Entry).ToList();
        if (uses.Count == 0)
        {
            return;
        }

        canvas.Line("Suppressions used:");
        canvas.Line("  count      bytes template");
        foreach (var use in uses)
        {
            var sum = use.Aggregate(default(LeakSum), (all, one) => all + one.Sum);
            canvas.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{sum.Blocks,7} {sum.Bytes,10} {Words.Printable(use.Key.Pattern)}  ({Words.Printable(use.Key.Source)})"));
        }
    }

    /// <summary>Writes how much there is of each kind, in the words of memcheck and LeakSanitizer.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="checks">The checks of all processes.</param>
    public static void WriteSummary(TextCanvas canvas, IReadOnlyList<LeakCheck> checks)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(checks);
        LeakSum Sum(LeakKind kind) => checks.Aggregate(default(LeakSum), (sum, check) => sum + check.Summary[kind]);
        void Line(string words, LeakSum sum) => canvas.Line(
            string.Create(CultureInfo.InvariantCulture, $"{words,18}: {sum.Bytes} bytes in {sum.Blocks} blocks"));
        canvas.Line("LEAK SUMMARY:");
        Line("definitely lost", Sum(LeakKind.Definite));
        Line("indirectly lost", Sum(LeakKind.Indirect));
        Line("possibly lost", Sum(LeakKind.Possible));
        Line("still reachable", Sum(LeakKind.Reachable));
        Line("suppressed", checks.Aggregate(default(LeakSum), (sum, check) => sum + check.Suppressed));
        var lost = Sum(LeakKind.Definite) + Sum(LeakKind.Indirect);
        if (lost.Blocks > 0)
        {
            canvas.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"SUMMARY: NativeHeap: {lost.Bytes} byte(s) leaked in {lost.Blocks} allocation(s)."));
        }
    }

    // The line that scripts for LeakSanitizer look for, and who still points to what may be lost.
    private static void WriteDetails(TextCanvas canvas, Leak leak)
    {
        if (leak.Kind is LeakKind.Definite or LeakKind.Indirect)
        {
            var how = leak.Kind == LeakKind.Definite ? "Direct" : "Indirect";
            canvas.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"   {how} leak of {leak.Own.Bytes} byte(s) in {leak.Own.Blocks} object(s) allocated from:"));
        }
        else if (leak.PointedFrom is { } from)
        {
            canvas.Line(from == 0
                ? "   a register points into it"
                : string.Create(CultureInfo.InvariantCulture, $"   0x{from:x} points into it"));
        }
    }

    private static string Head(Leak leak)
    {
        var kind = leak.Kind == LeakKind.Reachable ? "reachable" : leak.Kind switch
        {
            LeakKind.Definite => "definitely lost",
            LeakKind.Indirect => "indirectly lost",
            _ => "possibly lost",
        };
        var indirect = leak.Indirect.Blocks == 0 ? ""
            : string.Create(CultureInfo.InvariantCulture, $", and {leak.Indirect.Bytes} bytes in {Words.Count(leak.Indirect.Blocks, "block")} with it");
        var type = leak.Type is null ? "" : $" of {Words.Printable(leak.Type)}";
        var ring = leak.Cycle.Count == 0 ? "" : $", a ring of {leak.Cycle.Count}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{leak.Id}. {leak.Own.Bytes} bytes in {Words.Count(leak.Own.Blocks, "block")}{type} {kind}{indirect}{ring}, such as 0x{leak.Address:x}, by {leak.Stack.Entry?.ToString().ToLowerInvariant() ?? "?"}");
    }
}
