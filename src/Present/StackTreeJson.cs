using System.Buffers;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>Stacks of a tree within a JSON document, as <see cref="StackJson"/> writes them: a hundred thousand of them, of
/// frames whose text is made once and copied.</summary>
/// <param name="tree">The stacks.</param>
internal sealed class StackTreeJson(StackTree tree)
{
    private readonly byte[]?[] _frames = new byte[]?[tree.FrameCount];
    private readonly ArrayBufferWriter<byte> _text = new(1 << 16);
    private readonly List<StackMarker> _markers = [];

    /// <summary>The properties of the stack that ends in a node, within an object.</summary>
    public void Write(Utf8JsonWriter json, int node)
    {
        _text.ResetWrittenCount();
        _markers.Clear();
        EntryPoint? entry = null;
        for (; node != 0; node = tree.Parent(node))
        {
            var number = tree.FrameOf(node);
            if (_frames[number] is { } text)
            {
                Append(text);
                continue;
            }

            var frame = tree.Frame(number);
            if (frame.Location.Kind == FrameKind.Entry)
            {
                entry ??= (EntryPoint)(int)frame.Location.Offset;
            }
            else if (frame.Marker is { } marker)
            {
                Note(marker);
            }
            else
            {
                Append(_frames[number] = StackJson.NewText(frame));
            }
        }

        json.WriteString("entry", entry?.Name());
        json.WritePropertyName("frames");
        _text.Write(_text.WrittenCount == 0 ? "[]"u8 : "\n      ]"u8);
        json.WriteRawValue(_text.WrittenSpan, skipInputValidation: true);
        WriteMarkers(json);
    }

    private void Append(byte[] frame)
    {
        _text.Write(_text.WrittenCount == 0 ? "["u8 : ","u8);
        _text.Write(frame);
    }

    private void Note(StackMarker marker)
    {
        if (!_markers.Contains(marker))
        {
            _markers.Add(marker);
        }
    }

    private void WriteMarkers(Utf8JsonWriter json)
    {
        json.WriteStartArray("markers");
        foreach (var marker in _markers)
        {
            json.WriteStringValue(StackJson.MarkerName(marker));
        }

        json.WriteEndArray();
    }
}
