using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>Objects by type as JSON, schema <c>nativeheap.objects/1</c>.</summary>
public static class ObjectsJson
{
    /// <summary>Writes one document and a newline.</summary>
    public static void Write(Stream output, ObjectCounts counts)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(counts);
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.objects/1");
            json.WriteStartObject("total");
            json.WriteNumber("count", counts.Count);
            json.WriteNumber("bytes", counts.Bytes);
            json.WriteEndObject();
            WriteTimes(json, counts.Times);
            json.WriteStartArray("notes");
            foreach (var note in counts.Notes)
            {
                json.WriteStringValue(note);
            }

            json.WriteEndArray();
            WriteTypes(json, counts.Types);
            WriteInstances(json, counts);
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    /// <summary>How long a look at a process took: while it ran, and while it stood still.</summary>
    internal static void WriteTimes(Utf8JsonWriter json, LookTimes? times)
    {
        WriteNumber(json, "opening_ns", (long?)times?.Opening.TotalNanoseconds);
        WriteNumber(json, "stopped_ns", (long?)times?.Stopped.TotalNanoseconds);
    }

    private static void WriteTypes(Utf8JsonWriter json, IReadOnlyList<ObjectGrowth> types)
    {
        json.WriteStartArray("types");
        foreach (var (now, count, bytes) in types)
        {
            json.WriteStartObject();
            json.WriteString("type", now.Type);
            json.WriteString("kind", now.Kind.Name());
            json.WriteNumber("count", now.Count);
            json.WriteNumber("bytes", now.Bytes);
            WriteNumber(json, "delta_count", count);
            WriteNumber(json, "delta_bytes", bytes);
            json.WriteString("found_by", now.FoundBy);
            json.WriteEndObject();
            ReportJson.FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private static void WriteInstances(Utf8JsonWriter json, ObjectCounts counts)
    {
        if (counts.Instances is not { } instances)
        {
            return;
        }

        var stacks = new StackJson();
        json.WriteStartArray("instances");
        foreach (var instance in instances)
        {
            json.WriteStartObject();
            json.WriteString("address", string.Create(CultureInfo.InvariantCulture, $"0x{instance.Address:x}"));
            json.WriteNumber("bytes", instance.Bytes);
            WriteNumber(json, "age_ns", counts.AgeOf(instance));
            if (counts.Stacks.TryGetValue(instance.Stack, out var frames))
            {
                stacks.Write(json, frames);
            }
            else
            {
                json.WriteNull("frames");
            }

            json.WriteEndObject();
            ReportJson.FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
