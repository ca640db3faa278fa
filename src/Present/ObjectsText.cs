using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;
using NativeHeap.Present.Plots;

namespace NativeHeap.Present;

/// <summary>Objects by type for people: how many and how large in all, then a table by size and one by count.</summary>
public static class ObjectsText
{
    /// <summary>Writes them.</summary>
    /// <param name="canvas">Where to.</param>
    /// <param name="counts">What to write.</param>
    /// <param name="top">How many rows a table has.</param>
    public static void Write(TextCanvas canvas, ObjectCounts counts, int top)
    {
        ArgumentNullException.ThrowIfNull(canvas);
        ArgumentNullException.ThrowIfNull(counts);
        canvas.Line($"Objects count  {Words.Count(counts.Count)}");
        canvas.Line($"Objects size   {Words.Bytes(counts.Bytes)}");
        if (counts.Instances is { } instances)
        {
            WriteInstances(canvas, counts, instances, top);
        }
        else if (counts.IsGrowth)
        {
            WriteGrowth(canvas, counts, top);
        }
        else if (counts.Types.Count > 0)
        {
            WriteTypes(canvas, "By size", counts.Types, top);
            WriteTypes(canvas, "By count", [.. counts.Types.OrderByDescending(type => type.Now.Count)], top);
        }
    }

    private static void WriteTypes(TextCanvas canvas, string title, IReadOnlyList<ObjectGrowth> types, int top)
    {
        canvas.Line();
        canvas.Line(title, Emphasis.Strong);
        var table = new TextTable(LastColumn.Fold, true, true, false, false);
        table.AddFaint("size", "count", "kind", "type");
        foreach (var (now, _, _) in types.Take(top))
        {
            table.Add(Words.Bytes(now.Bytes), Words.Count(now.Count), KindOf(now), Words.Printable(now.Type));
        }

        table.Write(canvas);
        WriteRest(canvas, types.Count - top, "type");
    }

    private static void WriteGrowth(TextCanvas canvas, ObjectCounts counts, int top)
    {
        var changed = counts.Types.Where(type => type.DeltaCount != 0 || type.DeltaBytes != 0).ToList();
        canvas.Line();
        canvas.Line(changed.Count == 0 ? "Nothing grew" : "By growth", Emphasis.Strong);
        if (changed.Count == 0)
        {
            return;
        }

        var table = new TextTable(LastColumn.Fold, true, true, true, true, false, false);
        table.AddFaint("grown by", "count", "size now", "count now", "kind", "type");
        foreach (var (now, count, bytes) in changed.Take(top))
        {
            table.Add(
                Signed(bytes ?? 0, Words.Bytes), Signed(count ?? 0, Words.Count), Words.Bytes(now.Bytes),
                Words.Count(now.Count), KindOf(now), Words.Printable(now.Type));
        }

        table.Write(canvas);
        WriteRest(canvas, changed.Count - top, "type");
    }

    // The largest first; where a recording knows, how long each has lived and who allocated it.
    private static void WriteInstances(TextCanvas canvas, ObjectCounts counts, IReadOnlyList<ObjectInstance> instances, int top)
    {
        canvas.Line();
        canvas.Line(Words.Count(instances.Count, "instance"), Emphasis.Strong);
        var isRecorded = counts.Stacks.Count > 0;
        var table = isRecorded ? new TextTable(LastColumn.Fold, false, true, true, false) : new TextTable(LastColumn.Fold, false, true);
        if (isRecorded)
        {
            table.AddFaint("address", "size", "age", "allocated by");
        }

        foreach (var instance in instances.OrderByDescending(instance => instance.Bytes).Take(top))
        {
            string[] cells = [string.Create(CultureInfo.InvariantCulture, $"0x{instance.Address:x}"), Words.Bytes(instance.Bytes)];
            table.Add(!isRecorded ? cells :
            [
                .. cells, counts.AgeOf(instance) is { } age ? Words.Duration(age) : "",
                counts.Stacks.TryGetValue(instance.Stack, out var stack) ? Words.Printable(StackLabel.Of(stack)) : "",
            ]);
        }

        table.Write(canvas);
        WriteRest(canvas, instances.Count - top, "instance");
    }

    private static void WriteRest(TextCanvas canvas, int rest, string noun)
    {
        if (rest > 0)
        {
            canvas.Line($"  … {Words.Count(rest, "more " + noun)} (--top shows more, --json all)", Emphasis.Faint);
        }
    }

    private static string KindOf(TypeCount type) => type.Kind switch
    {
        ObjectKind.Cpp => "C++",
        ObjectKind.Unknown => "native",
        ObjectKind.Python => "Python",
        _ => ".NET",
    };

    private static string Signed(long value, Func<long, string> words) => value > 0 ? "+" + words(value) : words(value);
}
