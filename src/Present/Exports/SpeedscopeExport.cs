using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Present.Exports;

/// <summary>A sampled profile for speedscope.app, weighed in bytes (its published schema, file-format-schema.json).</summary>
internal static class SpeedscopeExport
{
    /// <summary>Writes all stacks.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="info">The trace's own words.</param>
    /// <param name="name">What the profile is called.</param>
    /// <param name="stacks">The stacks; enumerated three times.</param>
    /// <param name="byBlocks">Whether the weight is blocks; else bytes.</param>
    public static void Write(Stream output, TraceInfo info, string name, IReadOnlyList<StackCost> stacks, bool byBlocks)
    {
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using var json = new Utf8JsonWriter(output, options);
        var numbers = new Dictionary<(string Name, string? File, int? Line), int>();
        json.WriteStartObject();
        json.WriteString("$schema", "https://www.speedscope.app/file-format-schema.json");
        json.WriteString("name", name);
        json.WriteString("exporter", "nativeheap " + info.ToolVersion);
        json.WriteNumber("activeProfileIndex", 0);
        json.WriteStartObject("shared");
        WriteFrames(json, stacks, numbers);
        json.WriteEndObject();
        json.WriteStartArray("profiles");
        WriteProfile(json, name, stacks, numbers, byBlocks);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteFrames(
        Utf8JsonWriter json,
        IReadOnlyList<StackCost> stacks,
        Dictionary<(string Name, string? File, int? Line), int> numbers)
    {
        json.WriteStartArray("frames");
        foreach (var frame in stacks.SelectMany(cost => cost.Stack.Frames))
        {
            var key = Key(frame);
            if (!numbers.TryAdd(key, numbers.Count))
            {
                continue;
            }

            json.WriteStartObject();
            json.WriteString("name", key.Name);
            if (key.File is { } file)
            {
                json.WriteString("file", file);
            }

            if (key.Line is { } line)
            {
                json.WriteNumber("line", line);
            }

            json.WriteEndObject();
            ReportJson.FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private static void WriteProfile(
        Utf8JsonWriter json,
        string name,
        IReadOnlyList<StackCost> stacks,
        Dictionary<(string Name, string? File, int? Line), int> numbers,
        bool byBlocks)
    {
        json.WriteStartObject();
        json.WriteString("type", "sampled");
        json.WriteString("name", name);
        json.WriteString("unit", byBlocks ? "none" : "bytes");
        json.WriteNumber("startValue", 0);
        json.WriteNumber("endValue", stacks.Sum(Weight));
        json.WriteStartArray("samples");
        foreach (var cost in stacks)
        {
            json.WriteStartArray();
            foreach (var frame in cost.Stack.Frames.Reverse())
            {
                json.WriteNumberValue(numbers[Key(frame)]);
            }

            json.WriteEndArray();
            ReportJson.FlushWhenLarge(json);
        }

        json.WriteEndArray();
        json.WriteStartArray("weights");
        foreach (var cost in stacks)
        {
            json.WriteNumberValue(Weight(cost));
        }

        json.WriteEndArray();
        json.WriteEndObject();

        long Weight(StackCost cost) => byBlocks ? cost.Blocks : cost.Bytes;
    }

    private static (string Name, string? File, int? Line) Key(Frame frame) =>
        (StackText.PlainName(frame), frame.Name?.File, frame.Name?.Line);
}
