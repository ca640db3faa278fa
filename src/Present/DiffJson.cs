using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Analysis;

namespace NativeHeap.Present;

/// <summary>A comparison as JSON, schema <c>nativeheap.diff/1</c>.</summary>
public static class DiffJson
{
    /// <summary>Writes one document and a newline.</summary>
    public static void Write(Stream output, Diff diff)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(diff);
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.diff/1");
            json.WritePropertyName("before");
            ReportJson.WriteTotals(json, diff.TotalsBefore);
            json.WritePropertyName("after");
            ReportJson.WriteTotals(json, diff.TotalsAfter);
            json.WriteBoolean("exact", diff.IsExact);
            WriteAnswer(json, diff.Answer);
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static void WriteAnswer(Utf8JsonWriter json, DiffAnswer answer)
    {
        json.WriteString("by", answer.By.Name());
        json.WriteStartObject("sum");
        WriteChange(json, answer.Sum);
        json.WriteEndObject();
        json.WriteNumber("change_count", answer.ChangeCount);
        json.WriteStartArray("rebuilt_modules");
        foreach (var module in answer.Rebuilt)
        {
            json.WriteStringValue(module);
        }

        json.WriteEndArray();
        json.WriteStartArray(answer.Group switch
        {
            CostGroup.Function => "functions",
            CostGroup.Module => "modules",
            CostGroup.Type => "types",
            _ => "stacks",
        });
        var text = new StackJson();
        foreach (var item in answer.Items)
        {
            json.WriteStartObject();
            WriteChange(json, item.Change);
            if (item.Stack is { } stack)
            {
                text.Write(json, stack);
            }
            else
            {
                json.WriteString("name", item.Name);
            }

            json.WriteEndObject();
            ReportJson.FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private static void WriteChange(Utf8JsonWriter json, CostChange change)
    {
        json.WriteNumber("delta_bytes", change.DeltaBytes);
        json.WriteNumber("delta_blocks", change.DeltaBlocks);
        json.WriteNumber("bytes_before", change.BytesBefore);
        json.WriteNumber("bytes_after", change.BytesAfter);
        json.WriteNumber("blocks_before", change.BlocksBefore);
        json.WriteNumber("blocks_after", change.BlocksAfter);
    }
}
