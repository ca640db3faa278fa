using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Present.Exports;

/// <summary>A sampled profile for speedscope.app, weighed in bytes (its published schema, file-format-schema.json).</summary>
internal sealed class SpeedscopeExport
{
    private readonly Utf8JsonWriter _json;
    private readonly StackTree _tree;
    private readonly IReadOnlyList<NodeCost> _costs;
    private readonly int[] _numbers; // of a frame of the tree, plus 1; 0: not met yet

    private SpeedscopeExport(Utf8JsonWriter json, StackTree tree, IReadOnlyList<NodeCost> costs)
    {
        _json = json;
        _tree = tree;
        _costs = costs;
        _numbers = new int[tree.FrameCount];
    }

    /// <summary>Writes all stacks.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="info">The trace's own words.</param>
    /// <param name="name">What the profile is called.</param>
    /// <param name="tree">The stacks.</param>
    /// <param name="costs">What they cost.</param>
    /// <param name="byBlocks">Whether the weight is blocks; else bytes.</param>
    public static void Write(
        Stream output, TraceInfo info, string name, StackTree tree, IReadOnlyList<NodeCost> costs, bool byBlocks)
    {
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using var json = new Utf8JsonWriter(output, options);
        var export = new SpeedscopeExport(json, tree, costs);
        json.WriteStartObject();
        json.WriteString("$schema", "https://www.speedscope.app/file-format-schema.json");
        json.WriteString("name", name);
        json.WriteString("exporter", "nativeheap " + info.ToolVersion);
        json.WriteNumber("activeProfileIndex", 0);
        json.WriteStartObject("shared");
        export.WriteFrames();
        json.WriteEndObject();
        json.WriteStartArray("profiles");
        export.WriteProfile(name, byBlocks);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteFrames()
    {
        _json.WriteStartArray("frames");
        var known = new Dictionary<(string Name, string? File, int? Line), int>();
        foreach (var cost in _costs)
        {
            for (var node = cost.Node; node != 0; node = _tree.Parent(node))
            {
                var number = _tree.FrameOf(node);
                if (_numbers[number] == 0 && !IsEntry(number))
                {
                    _numbers[number] = NumberOf(_tree.Frame(number), known) + 1;
                }
            }
        }

        _json.WriteEndArray();
    }

    // Frames that a reader could not tell apart are one.
    private int NumberOf(Frame frame, Dictionary<(string Name, string? File, int? Line), int> known)
    {
        var key = (Name: StackText.PlainName(frame), frame.Name?.File, frame.Name?.Line);
        if (known.TryGetValue(key, out var number))
        {
            return number;
        }

        number = known.Count;
        known.Add(key, number);
        _json.WriteStartObject();
        _json.WriteString("name", key.Name);
        if (key.File is { } file)
        {
            _json.WriteString("file", file);
        }

        if (key.Line is { } line)
        {
            _json.WriteNumber("line", line);
        }

        _json.WriteEndObject();
        ReportJson.FlushWhenLarge(_json);
        return number;
    }

    private void WriteProfile(string name, bool byBlocks)
    {
        _json.WriteStartObject();
        _json.WriteString("type", "sampled");
        _json.WriteString("name", name);
        _json.WriteString("unit", byBlocks ? "none" : "bytes");
        _json.WriteNumber("startValue", 0);
        _json.WriteNumber("endValue", _costs.Sum(Weight));
        _json.WriteStartArray("samples");
        var stack = new List<int>();
        foreach (var cost in _costs)
        {
            stack.Clear();
            for (var node = cost.Node; node != 0; node = _tree.Parent(node))
            {
                stack.Add(_numbers[_tree.FrameOf(node)]); // 0: the allocation function
            }

            WriteSample(stack);
        }

        _json.WriteEndArray();
        _json.WriteStartArray("weights");
        foreach (var cost in _costs)
        {
            _json.WriteNumberValue(Weight(cost));
        }

        _json.WriteEndArray();
        _json.WriteEndObject();

        long Weight(NodeCost cost) => byBlocks ? cost.Blocks : cost.Bytes;
    }

    private void WriteSample(List<int> stack)
    {
        _json.WriteStartArray();
        for (var i = stack.Count - 1; i >= 0; i--)
        {
            if (stack[i] != 0)
            {
                _json.WriteNumberValue(stack[i] - 1);
            }
        }

        _json.WriteEndArray();
        ReportJson.FlushWhenLarge(_json);
    }

    private bool IsEntry(int frame) => _tree.Frame(frame).Location.Kind == FrameKind.Entry;
}
