using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>Who holds a block as JSON, schema <c>nativeheap.refs/1</c>.</summary>
public static class HoldersJson
{
    /// <summary>Writes one document and a newline.</summary>
    public static void Write(Stream output, HolderAnswer answer, CallStack? frames, IReadOnlyList<string> notes, LookTimes? times)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(notes);
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.refs/1");
            ObjectsJson.WriteTimes(json, times);
            json.WriteStartArray("notes");
            foreach (var note in notes)
            {
                json.WriteStringValue(note);
            }

            json.WriteEndArray();
            json.WriteStartObject("target");
            WriteNode(json, answer.Target);
            if (frames is null)
            {
                json.WriteNull("frames");
            }
            else
            {
                new StackJson().Write(json, frames);
            }

            json.WriteEndObject();
            json.WriteStartArray("chains");
            foreach (var chain in answer.Chains)
            {
                WriteChain(json, chain);
            }

            json.WriteEndArray();
            json.WriteStartArray("dead_holders");
            foreach (var holder in answer.DeadHolders)
            {
                json.WriteStartObject();
                WriteNode(json, holder);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static void WriteChain(Utf8JsonWriter json, HolderChain chain)
    {
        json.WriteStartObject();
        json.WriteStartObject("root");
        json.WriteString("kind", chain.RootKind.Name());
        json.WriteString("name", chain.RootName);
        json.WriteEndObject();
        json.WriteStartArray("links");
        foreach (var link in chain.Links)
        {
            json.WriteStartObject();
            WriteNode(json, link);
            json.WriteString("via", link.Via);
            json.WriteBoolean("cycle", link.IsInCycle);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNode(Utf8JsonWriter json, ChainLink link)
    {
        json.WriteString("address", string.Create(CultureInfo.InvariantCulture, $"0x{link.Address:x}"));
        json.WriteNumber("bytes", link.Bytes);
        json.WriteString("type", link.Type);
    }
}
