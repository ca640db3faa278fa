using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>What a comparison compared, and its answer.</summary>
/// <param name="Before">The earlier trace and state, as the user named them.</param>
/// <param name="After">The later ones.</param>
/// <param name="TotalsBefore">Totals of the earlier trace.</param>
/// <param name="TotalsAfter">Totals of the later one.</param>
/// <param name="IsExact">False when one of them was sampled.</param>
/// <param name="Answer">What changed.</param>
public sealed record Diff(
    string Before, string After, Totals TotalsBefore, Totals TotalsAfter, bool IsExact, DiffAnswer Answer);

/// <summary>A comparison for people.</summary>
public static class DiffText
{
    /// <summary>Writes all of it.</summary>
    public static void Write(TextCanvas canvas, Diff diff)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(diff);
        var answer = diff.Answer;
        canvas.Line($"{Words.Printable(diff.Before)} → {Words.Printable(diff.After)}", Emphasis.Strong);
        var figures = new Figures(diff.IsExact);
        if (!diff.IsExact)
        {
            canvas.Line(Figures.Heading, Emphasis.Warning);
        }

        if (answer.Rebuilt.Count > 0)
        {
            canvas.Line(
                $"built anew in between, so compared by function without lines: {string.Join(", ", answer.Rebuilt.Select(Words.Printable))}",
                Emphasis.Faint);
        }

        canvas.Line();
        WriteSums(canvas, answer, figures);
        canvas.Line();
        canvas.Line($"{Title(answer)}: {Words.Count(answer.ChangeCount)} changed", Emphasis.Strong);
        if (answer.Group == CostGroup.Stack)
        {
            WriteStacks(canvas, answer, figures);
        }
        else
        {
            WriteNames(canvas, answer, figures);
        }

        var left = answer.ChangeCount - answer.Items.Count;
        if (left > 0)
        {
            canvas.Line($"… and {Words.Count(left)} that grew less (--top {answer.ChangeCount} shows all)", Emphasis.Faint);
        }
    }

    private static void WriteSums(TextCanvas canvas, DiffAnswer answer, Figures figures)
    {
        var sum = answer.Sum;
        var table = new TextTable(LastColumn.Fold, false, true, true);
        table.AddFaint(answer.OfMappings ? "mapped" : answer.By.Name(), "bytes", Blocks(answer));
        table.Add("before", figures.Bytes(sum.BytesBefore), figures.Count(sum.BlocksBefore));
        table.Add("after", figures.Bytes(sum.BytesAfter), figures.Count(sum.BlocksAfter));
        table.Add("change", figures.SignedBytes(sum.DeltaBytes), figures.SignedCount(sum.DeltaBlocks));
        table.Write(canvas);
    }

    private static string Blocks(DiffAnswer answer) => answer.OfMappings ? "mappings" : "blocks";

    private static string Title(DiffAnswer answer) => answer.Group switch
    {
        CostGroup.Stack => "Stacks, largest growth first",
        CostGroup.Function => "Functions with all they call, largest growth first",
        CostGroup.Module => "Modules with all they call, largest growth first",
        CostGroup.Type => "Types, largest growth first",
        _ => throw new ArgumentOutOfRangeException(nameof(answer)),
    };

    private static void WriteStacks(TextCanvas canvas, DiffAnswer answer, Figures figures)
    {
        var number = 0;
        foreach (var item in answer.Items)
        {
            var change = item.Change;
            canvas.Write($"{(++number).ToString(CultureInfo.InvariantCulture),5}. ", Emphasis.Faint);
            canvas.Write(figures.SignedBytes(change.DeltaBytes), Emphasis.Strong);
            canvas.Line(
                $"  {figures.SignedCount(change.DeltaBlocks)} {Blocks(answer)} by {item.Stack!.Entry?.Name() ?? "an unknown function"}"
                + $"  ({figures.Bytes(change.BytesBefore)} → {figures.Bytes(change.BytesAfter)})");
            StackText.WriteFrames(canvas, item.Stack);
            canvas.Line();
        }
    }

    private static void WriteNames(TextCanvas canvas, DiffAnswer answer, Figures figures)
    {
        var table = new TextTable(LastColumn.Fold, true, true, true, true, false);
        var (counted, name) = answer.Group switch
        {
            CostGroup.Type => ("count", "type"),
            CostGroup.Function => (Blocks(answer), "function"),
            _ => (Blocks(answer), "module"),
        };
        table.AddFaint("growth", counted, "before", "after", name);
        foreach (var item in answer.Items)
        {
            var change = item.Change;
            table.Add(
                figures.SignedBytes(change.DeltaBytes),
                figures.SignedCount(change.DeltaBlocks),
                figures.Bytes(change.BytesBefore),
                figures.Bytes(change.BytesAfter),
                Words.Printable(item.Name!));
        }

        table.Write(canvas);
    }
}
