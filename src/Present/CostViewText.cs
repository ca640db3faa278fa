using System.Globalization;
using NativeHeap.Analysis;

namespace NativeHeap.Present;

/// <summary>Costs by function or module, and call trees, for people.</summary>
public static class CostViewText
{
    private const int FigureColumns = 34; // bytes, share, blocks

    /// <summary>A table of functions or modules.</summary>
    public static void WriteNames(
        TextCanvas canvas, StackAnswer answer, IReadOnlyList<NamedCost> names, int count, CostGroup group)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(names);
        var table = new TextTable(LastColumn.Fold, true, true, true, true, true, false);
        table.AddFaint(
            "inclusive", "share", answer.Noun + "s", "self", answer.Noun + "s", group == CostGroup.Module ? "module" : "function");
        var figures = new Figures(answer.IsExact);
        var byBlocks = answer.By == StackMeasure.Count;
        foreach (var name in names)
        {
            table.Add(
                figures.Bytes(name.Bytes),
                byBlocks ? Words.Share(name.Blocks, answer.Blocks) : Words.Share(name.Bytes, answer.Bytes),
                figures.Count(name.Blocks),
                figures.Bytes(name.SelfBytes),
                figures.Count(name.SelfBlocks),
                Words.Printable(name.Name));
        }

        table.Write(canvas);
        if (names.Count < count)
        {
            canvas.Line($"  … and {Words.Count(count - names.Count)} more (--top {count} shows all)", Emphasis.Faint);
        }
    }

    /// <summary>A table of threads.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="threads">The threads.</param>
    /// <param name="isExact">False: their figures are estimates.</param>
    /// <param name="top">The most to show; null: all.</param>
    public static void WriteThreads(TextCanvas canvas, IReadOnlyList<ThreadCost> threads, bool isExact, int? top)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(threads);
        var figures = new Figures(isExact);
        var table = new TextTable(LastColumn.Cut, true, true, true, true, true, true, false);
        table.AddFaint("thread", "process", "live", "blocks", "allocated", "blocks", "name");
        foreach (var cost in threads.Take(top ?? int.MaxValue))
        {
            table.Add(
                cost.Thread.Tid.ToString(CultureInfo.InvariantCulture),
                cost.Process.Pid.ToString(CultureInfo.InvariantCulture),
                figures.Bytes(cost.LiveBytes),
                figures.Count(cost.LiveBlocks),
                figures.Bytes(cost.AllocatedBytes),
                figures.Count(cost.Allocations),
                Words.Printable(cost.Thread.Name ?? ""));
        }

        table.Write(canvas);
        if (threads.Count > top)
        {
            canvas.Line($"  … and {Words.Count(threads.Count - top.Value)} more (--top {threads.Count} shows all)", Emphasis.Faint);
        }
    }

    /// <summary>A tree, a line a node; a chain of single children keeps its depth but is not repeated in figures.</summary>
    public static void WriteTree(TextCanvas canvas, StackAnswer answer, CallTreeNode root)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(root);
        canvas.Line($"{"bytes",12}  {"share",7}  {answer.Noun + "s",11}", Emphasis.Faint);
        foreach (var child in root.Children)
        {
            WriteNode(canvas, answer, child, 0, root);
        }
    }

    private static void WriteNode(TextCanvas canvas, StackAnswer answer, CallTreeNode node, int depth, CallTreeNode parent)
    {
        var byBlocks = answer.By == StackMeasure.Count;
        var share = byBlocks ? Words.Share(node.Blocks, answer.Blocks) : Words.Share(node.Bytes, answer.Bytes);
        var marked = new Figures(answer.IsExact);
        var same = parent.Bytes == node.Bytes && parent.Blocks == node.Blocks && parent.Name.Length > 0;
        var figures = same ? new string(' ', FigureColumns) : $"{marked.Bytes(node.Bytes),12}  {share,7}  {marked.Count(node.Blocks),11}";
        canvas.Line($"{figures}  {new string(' ', depth)}{Words.Printable(node.Name)}");
        var deeper = same && parent.Children.Count == 1 && node.Children.Count <= 1 ? depth : depth + 1;
        foreach (var child in node.Children)
        {
            WriteNode(canvas, answer, child, deeper, node);
        }
    }
}
