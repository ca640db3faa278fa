using System.Globalization;
using NativeHeap.Analysis;

namespace NativeHeap.Present;

/// <summary>Source files line by line for people, in the columns of Python's memory_profiler.</summary>
public static class LinesText
{
    private const int MostFiles = 10;
    private const int Context = 2; // lines shown around one that allocates
    private const string Gap = "       …";

    /// <summary>A table of the source files that most live bytes were allocated in; nothing when there are none.</summary>
    public static void WriteHottest(TextCanvas canvas, IReadOnlyList<SourceFile> files, bool isExact)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(files);
        if (files.Count == 0)
        {
            return;
        }

        var table = new TextTable(LastColumn.Fold, true, true, false);
        table.AddFaint("live", "lines", "file (what its own lines allocated, not what they call)");
        foreach (var file in files.Take(MostFiles))
        {
            table.Add(new Figures(isExact).Bytes(file.OwnBytes), Words.Count(file.Lines.Count), Words.Printable(file.File));
        }

        canvas.Line($"Hottest of {Words.Count(files.Count, "file")}", Emphasis.Strong);
        table.Write(canvas);
        canvas.Line();
    }

    /// <summary>Writes files, one after the other.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="files">The files.</param>
    /// <param name="isExact">False: figures are estimates from samples.</param>
    /// <param name="whole">Whether every line of the source is shown.</param>
    public static void Write(TextCanvas canvas, IReadOnlyList<ListedFile> files, bool isExact, bool whole)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(files);
        if (!isExact)
        {
            canvas.Line(Figures.Heading, Emphasis.Warning);
        }

        foreach (var file in files)
        {
            canvas.Line($"Filename: {Words.Printable(file.Source.File)}", Emphasis.Strong);
            if (file.Remark is { } remark)
            {
                canvas.Line(remark, Emphasis.Warning);
            }

            canvas.Line();
            canvas.Line("Line #     Mem usage     Increment  Occurrences   Line Contents", Emphasis.Faint);
            canvas.Line(new string('=', 63), Emphasis.Faint);
            WriteLines(canvas, file, new Figures(isExact), whole);
            canvas.Line();
        }
    }

    private static void WriteLines(TextCanvas canvas, ListedFile file, Figures figures, bool whole)
    {
        var costs = file.Source.Lines.ToDictionary(line => line.Line);
        var last = 0;
        foreach (var number in Shown(file, whole))
        {
            if (last != 0 && number > last + 1)
            {
                canvas.Line(Gap, Emphasis.Faint);
            }

            last = number;
            var text = file.Text(number) is { } content ? "   " + Words.Printable(content.Replace("\t", "    ", StringComparison.Ordinal)) : "";
            canvas.Line(costs.TryGetValue(number, out var cost)
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $"{number,6}  {figures.Bytes(cost.LiveBytes),12}  {figures.Bytes(cost.AllocatedBytes),12}  {figures.Count(cost.Allocations),11}{text}")
                : string.Create(CultureInfo.InvariantCulture, $"{number,6}  {"",12}  {"",12}  {"",11}{text}"));
        }
    }

    private static IEnumerable<int> Shown(ListedFile file, bool whole)
    {
        if (file.LineCount is not { } count)
        {
            return file.Source.Lines.Select(line => line.Line);
        }

        if (whole)
        {
            return Enumerable.Range(1, Math.Max(count, file.Source.Lines[^1].Line));
        }

        return file.Source.Lines
            .SelectMany(line => Enumerable.Range(line.Line - Context, (2 * Context) + 1))
            .Where(number => number >= 1 && (number <= count || file.Source.Lines.Any(line => line.Line == number)))
            .Distinct()
            .Order();
    }
}
