using System.Text.Encodings.Web;
using System.Text.Json;

namespace NativeHeap.Present;

/// <summary>Source files line by line as JSON, schema <c>nativeheap.lines/1</c>.</summary>
public static class LinesJson
{
    /// <summary>Writes one document and a newline.</summary>
    public static void Write(Stream output, IReadOnlyList<ListedFile> files, bool isExact)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(files);
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.lines/1");
            json.WriteBoolean("exact", isExact);
            json.WriteStartArray("files");
            foreach (var file in files)
            {
                WriteFile(json, file);
                ReportJson.FlushWhenLarge(json);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static void WriteFile(Utf8JsonWriter json, ListedFile file)
    {
        json.WriteStartObject();
        json.WriteString("file", file.Source.File);
        json.WriteString("remark", file.Remark);
        json.WriteStartArray("lines");
        foreach (var line in file.Source.Lines)
        {
            json.WriteStartObject();
            json.WriteNumber("line", line.Line);
            json.WriteNumber("live_bytes", line.LiveBytes);
            json.WriteNumber("increment_bytes", line.AllocatedBytes);
            json.WriteNumber("occurrences", line.Allocations);
            json.WriteString("text", file.Text(line.Line));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
