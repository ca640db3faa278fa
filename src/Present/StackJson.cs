using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>Stacks within a JSON document. A frame occurs on thousands of stacks, so its text is made once.</summary>
internal sealed class StackJson
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Dictionary<Frame, byte[]> _frames = new(ReferenceEqualityComparer.Instance);

    /// <summary>The properties of a stack within an object.</summary>
    public void Write(Utf8JsonWriter json, CallStack stack)
    {
        json.WriteString("entry", stack.Entry?.Name());
        json.WriteStartArray("frames");
        foreach (var frame in stack.Frames)
        {
            if (frame.Marker is null)
            {
                json.WriteRawValue(TextOf(frame), skipInputValidation: true);
            }
        }

        json.WriteEndArray();
        json.WriteStartArray("markers");
        foreach (var marker in stack.Frames.Select(f => f.Marker).OfType<StackMarker>().Distinct())
        {
            json.WriteStringValue(MarkerName(marker));
        }

        json.WriteEndArray();
    }

    private byte[] TextOf(Frame frame)
    {
        if (!_frames.TryGetValue(frame, out var text))
        {
            text = NewText(frame);
            _frames.Add(frame, text);
        }

        return text;
    }

    /// <summary>A frame on a line of its own.</summary>
    internal static byte[] NewText(Frame frame)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        buffer.Write("\n        "u8); // a line a frame; the writer does not indent what is made already
        using (var json = new Utf8JsonWriter(buffer, s_options))
        {
            WriteFrame(json, frame);
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteFrame(Utf8JsonWriter json, Frame frame)
    {
        json.WriteStartObject();
        json.WriteString("function", frame.Name?.Function);
        json.WriteString("module", frame.Location.Module?.Path);
        json.WriteString("offset", string.Create(CultureInfo.InvariantCulture, $"0x{frame.Location.Offset:x}"));
        json.WriteString("file", frame.Name?.File);
        if (frame.Name?.Line is { } line)
        {
            json.WriteNumber("line", line);
        }
        else
        {
            json.WriteNull("line");
        }

        json.WriteString("kind", frame.Location.Kind.Name());
        json.WriteBoolean("inlined", frame.Name?.Inlined ?? false);
        json.WriteEndObject();
    }

    /// <summary>A remark as the documents spell it.</summary>
    internal static string MarkerName(StackMarker marker) => marker switch
    {
        StackMarker.DepthLimit => "depth_limit",
        StackMarker.Lost => "lost",
        StackMarker.TreeFull => "tree_full",
        StackMarker.Guessed => "guessed",
        StackMarker.Generation => "generation",
        _ => throw new ArgumentOutOfRangeException(nameof(marker)),
    };
}
