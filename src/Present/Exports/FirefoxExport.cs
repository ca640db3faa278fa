using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>
/// A profile for profiler.firefox.com: its processed format, with native allocations that have addresses, by which its view
/// of retained memory finds what was never freed. A trace counts and does not list its blocks, so all blocks of a stack that
/// were born in one bucket of time and died in one are one allocation here, with an address of its own, and one free.
/// </summary>
internal sealed class FirefoxExport
{
    // What docs-developer/CHANGELOG-formats.md of github.com/firefox-devtools/profiler describes; newer ones upgrade it.
    private const int Version = 48, GeckoVersion = 28;
    private const int NativeCategory = 0, ManagedCategory = 1;

    private readonly Utf8JsonWriter _json;
    private readonly ExportSource _source;
    private readonly StackTree _tree;
    private readonly List<Binary> _modules = [];
    private readonly Dictionary<Binary, int> _moduleNumbers = [];

    private FirefoxExport(Utf8JsonWriter json, ExportSource source)
    {
        _json = json;
        _source = source;
        _tree = source.Stacks;
        for (var i = 0; i < _tree.FrameCount; i++)
        {
            if (_tree.Frame(i).Location.Module is { } module && _moduleNumbers.TryAdd(module, _modules.Count))
            {
                _modules.Add(module);
            }
        }
    }

    /// <summary>Writes everything.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="source">The trace.</param>
    public static void Write(Stream output, ExportSource source)
    {
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
        using var json = new Utf8JsonWriter(output, options);
        new FirefoxExport(json, source).WriteAll();
    }

    private void WriteAll()
    {
        _json.WriteStartObject();
        WriteMeta();
        WriteLibraries();
        _json.WriteStartArray("pages");
        _json.WriteEndArray();
        _json.WriteStartArray("threads");
        WriteProcesses();
        _json.WriteEndArray();
        _json.WriteEndObject();
    }

    private void WriteProcesses()
    {
        var blocks = new List<BlockGroup>();
        foreach (var block in _source.Blocks) // they come by process
        {
            if (blocks.Count > 0 && blocks[0].Process.Id != block.Process.Id)
            {
                WriteProcess(blocks);
                blocks.Clear();
            }

            blocks.Add(block);
        }

        if (blocks.Count > 0)
        {
            WriteProcess(blocks);
        }
    }

    private void WriteProcess(List<BlockGroup> blocks) =>
        new FirefoxProcess(_json, _tree, blocks[0].Process, _moduleNumbers).Write(blocks);

    private void WriteMeta()
    {
        _json.WriteStartObject("meta");
        _json.WriteNumber("version", GeckoVersion);
        _json.WriteNumber("preprocessedProfileVersion", Version);
        _json.WriteString("product", "nativeheap: " + string.Join(' ', _source.Info.Command));
        _json.WriteNumber("startTime", (_source.Info.StartUnixNs ?? 0) / 1e6);
        _json.WriteNumber("interval", (_source.Info.BucketNs ?? 1_000_000) / 1e6);
        _json.WriteNumber("processType", 0);
        _json.WriteNumber("stackwalk", 1);
        _json.WriteNumber("debug", 0);
        _json.WriteBoolean("symbolicated", true);
        _json.WriteString("importedFrom", "NativeHeap, " + _source.Remark);
        _json.WriteStartArray("categories");
        foreach (var (name, colour) in new[] { ("Native", "blue"), (".NET", "purple"), ("Other", "grey") })
        {
            _json.WriteStartObject();
            _json.WriteString("name", name);
            _json.WriteString("color", colour);
            _json.WriteStartArray("subcategories");
            _json.WriteStringValue("Other");
            _json.WriteEndArray();
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
        _json.WriteStartArray("markerSchema");
        _json.WriteEndArray();
        _json.WriteEndObject();
    }

    private void WriteLibraries()
    {
        _json.WriteStartArray("libs");
        foreach (var module in _modules)
        {
            var name = Path.GetFileName(module.Path);
            _json.WriteStartObject();
            _json.WriteString("arch", "x86_64");
            _json.WriteString("name", name);
            _json.WriteString("path", module.Path);
            _json.WriteString("debugName", name);
            _json.WriteString("debugPath", module.Path);
            _json.WriteString("breakpadId", "");
            _json.WriteString("codeId", module.BuildId);
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
    }

    /// <summary>The category of a frame.</summary>
    internal static int CategoryOf(Frame frame) => frame.Location.Kind == FrameKind.Managed ? ManagedCategory : NativeCategory;
}
