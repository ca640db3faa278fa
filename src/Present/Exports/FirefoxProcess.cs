using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>One process as a thread of a Firefox profile: tables of stacks, frames, functions and allocations.</summary>
/// <param name="json">Where to.</param>
/// <param name="tree">The stacks of the trace.</param>
/// <param name="process">The process.</param>
/// <param name="modules">Numbers of the profile's libraries.</param>
internal sealed class FirefoxProcess(
    Utf8JsonWriter json, StackTree tree, ProcessInfo process, IReadOnlyDictionary<Binary, int> modules)
{
    private const int AddressStep = 16;

    private readonly int[] _stackOfNode = new int[tree.Count]; // less 1; 0: not needed yet
    private readonly List<int> _nodes = [];
    private readonly int[] _frameNumbers = new int[tree.FrameCount]; // less 1
    private readonly List<Frame> _frames = [];
    private readonly List<string> _strings = [];
    private readonly Dictionary<string, int> _stringNumbers = new(StringComparer.Ordinal);

    private readonly record struct Change(long TimeNs, bool Free, int Address, int Stack, long Bytes);

    // A struct, so that the millions of comparisons are no calls through a delegate.
    private readonly struct ByTime : IComparer<Change>
    {
        public int Compare(Change x, Change y) =>
            x.TimeNs != y.TimeNs ? x.TimeNs.CompareTo(y.TimeNs)
            : x.Free != y.Free ? x.Free.CompareTo(y.Free)
            : x.Address.CompareTo(y.Address);
    }

    /// <summary>Writes the thread.</summary>
    /// <param name="blocks">What it allocated.</param>
    public void Write(IEnumerable<BlockGroup> blocks)
    {
        var changes = ChangesOf(blocks);
        json.WriteStartObject();
        WriteHead();
        WriteEmpty("samples", "stack", "time");
        WriteAllocations(changes);
        WriteEmpty("markers", "data", "name", "startTime", "endTime", "phase", "category");
        WriteStacks();
        WriteFrames();
        WriteFunctions();
        WriteResources();
        WriteEmpty("nativeSymbols", "address", "functionSize", "libIndex", "name");
        Column("stringArray", _strings, json.WriteStringValue);
        json.WriteEndObject();
    }

    private List<Change> ChangesOf(IEnumerable<BlockGroup> blocks)
    {
        var changes = new List<Change>();
        var address = 0;
        foreach (var block in blocks)
        {
            var stack = StackOf(block.Node);
            changes.Add(new Change(block.BirthNs, false, ++address, stack, block.Bytes));
            if (block.DeathNs is { } death)
            {
                changes.Add(new Change(death, true, address, stack, -block.Bytes));
            }
        }

        CollectionsMarshal.AsSpan(changes).Sort(default(ByTime));
        return changes;
    }

    // The allocation function is a leaf that says nothing more: a stack ends in its caller.
    private int StackOf(int node)
    {
        while (node != 0 && tree.Frame(tree.FrameOf(node)).Location.Kind == FrameKind.Entry)
        {
            node = tree.Parent(node);
        }

        if (node == 0)
        {
            return -1;
        }

        if (_stackOfNode[node] == 0)
        {
            StackOf(tree.Parent(node)); // a prefix comes before
            var frame = tree.FrameOf(node);
            if (_frameNumbers[frame] == 0)
            {
                _frames.Add(tree.Frame(frame));
                _frameNumbers[frame] = _frames.Count;
            }

            _nodes.Add(node);
            _stackOfNode[node] = _nodes.Count;
        }

        return _stackOfNode[node] - 1;
    }

    private void WriteHead()
    {
        json.WriteString("processType", "default");
        json.WriteNumber("processStartupTime", process.StartNs / 1e6);
        Optional("processShutdownTime", process.EndNs / 1e6);
        json.WriteNumber("registerTime", process.StartNs / 1e6);
        Optional("unregisterTime", process.EndNs / 1e6);
        Column("pausedRanges", [], (int _) => { });
        json.WriteString("name", Path.GetFileName(process.Executable ?? process.Command ?? "process"));
        json.WriteBoolean("isMainThread", true);
        json.WriteString("pid", process.Pid.ToString(CultureInfo.InvariantCulture) + (process.Image == 0 ? "" : $".{process.Image}"));
        json.WriteNumber("tid", process.Pid);
    }

    private void WriteAllocations(List<Change> changes)
    {
        json.WriteStartObject("nativeAllocations");
        Column("time", changes, change => json.WriteNumberValue(change.TimeNs / 1e6));
        Column("weight", changes, change => json.WriteNumberValue(change.Bytes));
        json.WriteString("weightType", "bytes");
        Column("stack", changes, change => Optional(change.Stack));
        Column("memoryAddress", changes, change => json.WriteNumberValue((long)change.Address * AddressStep));
        Column("threadId", changes, _ => json.WriteNumberValue(process.Pid));
        json.WriteNumber("length", changes.Count);
        json.WriteEndObject();
    }

    private void WriteStacks()
    {
        json.WriteStartObject("stackTable");
        Column("frame", _nodes, node => json.WriteNumberValue(_frameNumbers[tree.FrameOf(node)] - 1));
        var categories = _frames.ConvertAll(FirefoxExport.CategoryOf);
        Column("category", _nodes, node => json.WriteNumberValue(categories[_frameNumbers[tree.FrameOf(node)] - 1]));
        Column("subcategory", _nodes, _ => json.WriteNumberValue(0));
        Column("prefix", _nodes, node => Optional(_stackOfNode[tree.Parent(node)] - 1));
        json.WriteNumber("length", _nodes.Count);
        json.WriteEndObject();
    }

    private void WriteFrames()
    {
        json.WriteStartObject("frameTable");
        Column("address", _frames, frame => json.WriteNumberValue(AddressOf(frame)));
        Column("inlineDepth", _frames, frame => json.WriteNumberValue(frame.Name?.Inlined == true ? 1 : 0));
        Column("category", _frames, frame => json.WriteNumberValue(FirefoxExport.CategoryOf(frame)));
        Column("subcategory", _frames, _ => json.WriteNumberValue(0));
        Column("func", Enumerable.Range(0, _frames.Count), json.WriteNumberValue); // a function for each frame
        foreach (var name in new[] { "nativeSymbol", "implementation", "column" })
        {
            Column(name, _frames, _ => json.WriteNullValue());
        }

        Column("innerWindowID", _frames, _ => json.WriteNumberValue(0));
        Column("line", _frames, frame => Optional(frame.Name?.Line ?? -1));
        json.WriteNumber("length", _frames.Count);
        json.WriteEndObject();
    }

    // Of frames without a library an address has no meaning.
    private static long AddressOf(Frame frame) =>
        frame.Location is { Module: not null, Kind: FrameKind.Native } place ? (long)Math.Max(place.Offset, 1) - 1 : -1;

    private void WriteFunctions()
    {
        json.WriteStartObject("funcTable");
        Column("name", _frames, frame => json.WriteNumberValue(Text(StackText.PlainName(frame))));
        Column("isJS", _frames, _ => json.WriteBooleanValue(false));
        Column("relevantForJS", _frames, _ => json.WriteBooleanValue(false));
        Column("resource", _frames, frame => json.WriteNumberValue(
            frame.Location.Module is { } module ? modules[module] : -1)); // a resource for each library
        Column("fileName", _frames, frame => Optional(frame.Name?.File is { } file ? Text(file) : -1));
        Column("lineNumber", _frames, _ => json.WriteNullValue());
        Column("columnNumber", _frames, _ => json.WriteNullValue());
        json.WriteNumber("length", _frames.Count);
        json.WriteEndObject();
    }

    private void WriteResources()
    {
        const int Library = 1; // resource types of the profiler's src/profile-logic/data-structures
        var all = modules.OrderBy(module => module.Value).Select(module => module.Key).ToList();
        json.WriteStartObject("resourceTable");
        Column("lib", Enumerable.Range(0, all.Count), json.WriteNumberValue);
        Column("name", all, module => json.WriteNumberValue(Text(Path.GetFileName(module.Path))));
        Column("host", all, _ => json.WriteNullValue());
        Column("type", all, _ => json.WriteNumberValue(Library));
        json.WriteNumber("length", all.Count);
        json.WriteEndObject();
    }

    private void WriteEmpty(string table, params string[] columns)
    {
        json.WriteStartObject(table);
        foreach (var column in columns)
        {
            Column(column, [], (int _) => { });
        }

        if (table == "samples")
        {
            json.WriteNull("weight");
            json.WriteString("weightType", "samples");
        }

        json.WriteNumber("length", 0);
        json.WriteEndObject();
    }

    private void Column<T>(string name, IEnumerable<T> rows, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var row in rows)
        {
            write(row);
            ReportJson.FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private void Optional(int index)
    {
        if (index < 0)
        {
            json.WriteNullValue();
        }
        else
        {
            json.WriteNumberValue(index);
        }
    }

    private void Optional(string name, double? value)
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

    private int Text(string text)
    {
        if (!_stringNumbers.TryGetValue(text, out var number))
        {
            number = _strings.Count;
            _stringNumbers.Add(text, number);
            _strings.Add(text);
        }

        return number;
    }
}
