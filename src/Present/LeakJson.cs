using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Graph;

namespace NativeHeap.Present;

/// <summary>A heap-check as JSON, schema <c>nativeheap.check/1</c>.</summary>
public static class LeakJson
{
    /// <summary>Writes one document and a newline.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="check">The check of the process that was started or asked for.</param>
    /// <param name="children">Those of other processes and of programs that it was before.</param>
    /// <param name="kinds">Kinds of leaks that are listed.</param>
    public static void Write(
        Stream output, LeakCheck check, IReadOnlyList<LeakCheck> children, IReadOnlySet<LeakKind> kinds)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(check);
        ArgumentNullException.ThrowIfNull(children);
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.check/1");
            WriteCheck(json, check, kinds);
            json.WriteStartArray("children");
            foreach (var child in children)
            {
                json.WriteStartObject();
                WriteCheck(json, child, kinds);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static void WriteCheck(Utf8JsonWriter json, LeakCheck check, IReadOnlySet<LeakKind> kinds)
    {
        json.WritePropertyName("process");
        ReportJson.WriteProcess(json, check.Process, check.Process);
        json.WriteString("level", check.Level);
        json.WriteNumber("number", check.Number);
        json.WriteBoolean("complete", check.IsComplete);
        json.WriteNumber("held_ns", check.HeldNs);
        json.WriteStartArray("notes");
        foreach (var note in check.Notes)
        {
            json.WriteStringValue(note);
        }

        json.WriteEndArray();
        json.WriteStartObject("summary");
        foreach (var (kind, sum) in check.Summary)
        {
            WriteSum(json, LeakWords.Of(kind), sum);
        }

        WriteSum(json, "suppressed", check.Suppressed);
        json.WriteEndObject();
        json.WriteStartArray("leaks");
        var text = new StackJson();
        foreach (var leak in check.Leaks.Where(leak => kinds.Contains(leak.Kind)))
        {
            WriteLeak(json, leak, text);
        }

        json.WriteEndArray();
        json.WriteStartArray("suppressions_used");
        foreach (var (entry, sum) in check.SuppressionsUsed)
        {
            json.WriteStartObject();
            json.WriteString("pattern", entry.Pattern);
            json.WriteString("source", entry.Source);
            json.WriteNumber("bytes", sum.Bytes);
            json.WriteNumber("blocks", sum.Blocks);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteLeak(Utf8JsonWriter json, Leak leak, StackJson text)
    {
        json.WriteStartObject();
        json.WriteNumber("id", leak.Id);
        json.WriteString("kind", LeakWords.Of(leak.Kind));
        json.WriteNumber("bytes", leak.Own.Bytes);
        json.WriteNumber("blocks", leak.Own.Blocks);
        json.WriteNumber("indirect_bytes", leak.Indirect.Bytes);
        json.WriteNumber("indirect_blocks", leak.Indirect.Blocks);
        json.WriteBoolean("cycle", leak.Cycle.Count > 0);
        json.WriteString("type", leak.Type);
        json.WriteString("address", Address(leak.Address));
        json.WriteString("pointed_from", leak.PointedFrom switch
        {
            null => null,
            0 => "register",
            var address => Address(address.Value),
        });
        json.WriteStartArray("members");
        foreach (var member in leak.Cycle)
        {
            json.WriteStringValue(Address(member));
        }

        json.WriteEndArray();
        text.Write(json, leak.Stack);
        json.WriteEndObject();
        ReportJson.FlushWhenLarge(json);
    }

    private static void WriteSum(Utf8JsonWriter json, string name, LeakSum sum)
    {
        json.WriteStartObject(name);
        json.WriteNumber("bytes", sum.Bytes);
        json.WriteNumber("blocks", sum.Blocks);
        json.WriteEndObject();
    }

    private static string Address(ulong address) => string.Create(CultureInfo.InvariantCulture, $"0x{address:x}");
}
