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
            "inclusive", "share", "blocks", "self", "blocks", group == CostGroup.Module ? "module" : "function");
        var byBlocks = answer.By == StackMeasure.Count;
        foreach (var name in names)
        {
            table.Add(
                Words.Bytes(name.Bytes),
                byBlocks ? Words.Share(name.Blocks, answer.Blocks) : Words.Share(name.Bytes, answer.Bytes),
                Words.Count(name.Blocks),
                Words.Bytes(name.SelfBytes),
                Words.Count(name.SelfBlocks),
                Words.Printable(name.Name));
        }

        table.Write(canvas);
        if (names.Count < count)
        {
            canvas.Line($"  … and {Words.Count(count - names.Count)} more (--top {count} shows all)", Emphasis.Faint);
        }
    }

    /// <summary>A tree, a line a node; a chain of single children keeps its depth but is not repeated in figures.</summary>
    public static void WriteTree(TextCanvas canvas, StackAnswer answer, CallTreeNode root)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(root);
        canvas.Line($"{"bytes",12}  {"share",7}  {"blocks",11}", Emphasis.Faint);
        foreach (var child in root.Children)
        {
            WriteNode(canvas, answer, child, 0, root);
        }
    }

    private static void WriteNode(TextCanvas canvas, StackAnswer answer, CallTreeNode node, int depth, CallTreeNode parent)
    {
        var byBlocks = answer.By == StackMeasure.Count;
        var share = byBlocks ? Words.Share(node.Blocks, answer.Blocks) : Words.Share(node.Bytes, answer.Bytes);
        var same = parent.Bytes == node.Bytes && parent.Blocks == node.Blocks && parent.Name.Length > 0;
        var figures = same ? new string(' ', FigureColumns) : $"{Words.Bytes(node.Bytes),12}  {share,7}  {Words.Count(node.Blocks),11}";
        canvas.Line($"{figures}  {new string(' ', depth)}{Words.Printable(node.Name)}");
        var deeper = same && parent.Children.Count == 1 && node.Children.Count <= 1 ? depth : depth + 1;
        foreach (var child in node.Children)
        {
            WriteNode(canvas, answer, child, deeper, node);
        }
    }
}
