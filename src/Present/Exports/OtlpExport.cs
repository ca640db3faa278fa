using Google.Protobuf;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present.Exports.Otlp;
using Location = NativeHeap.Present.Exports.Otlp.Location;
using Profile = NativeHeap.Present.Exports.Otlp.Profile;
using ValueType = NativeHeap.Present.Exports.Otlp.ValueType;

namespace NativeHeap.Present.Exports;

/// <summary>
/// Profiles of the OpenTelemetry protocol (signal "profiles", v1development), one message <c>ProfilesData</c>: a resource
/// for each process, in it one profile for each of pprof's sample types, samples with the thread as attribute.
/// </summary>
internal sealed class OtlpExport : IDisposable
{
    private readonly ProfilesDictionary _tables = new();
    private readonly StringTable _strings;
    private readonly Dictionary<string, int> _mappings = new(StringComparer.Ordinal);
    private readonly CallPlaces _places;
    private readonly List<int> _stack = [];
    private readonly int[] _stackOf; // by node of the caller; 0: not met yet
    private readonly Sample _sample = new(); // one for all, and one stack: as objects they would be hundreds of megabytes
    private readonly Stack _stackMessage = new();
    private readonly EncodedMessages _stackTable = new(ProfilesDictionary.StackTableFieldNumber);
    private readonly int[] _functionOf; // of a frame of the tree; 0: not met yet
    private readonly Dictionary<(string Name, string File), int> _functions = [];
    private readonly Dictionary<(string Key, long Value), int> _numbers = [];
    private readonly Dictionary<(string Key, string Value), int> _words = [];

    private OtlpExport(StackTree stacks)
    {
        _places = new CallPlaces(stacks);
        _stackOf = new int[stacks.Count];
        _functionOf = new int[stacks.FrameCount];
        _strings = new StringTable(_tables.StringTable);
        _ = _strings[""];
        _tables.MappingTable.Add(new Mapping());
        _tables.LocationTable.Add(new Location());
        _tables.FunctionTable.Add(new Function());
        _tables.LinkTable.Add(new Link { TraceId = ByteString.CopyFrom(new byte[16]), SpanId = ByteString.CopyFrom(new byte[8]) });
        _tables.AttributeTable.Add(new KeyValueAndUnit());
        _stackTable.Add(new Stack());
    }

    /// <summary>Writes all samples.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="source">The trace.</param>
    public static void Write(Stream output, ExportSource source)
    {
        using var export = new OtlpExport(source.Stacks);
        using var coded = new CodedOutputStream(output, leaveOpen: true);
        OtlpResource? resource = null;
        foreach (var usage in source.Samples) // by process
        {
            if (usage.Process.Id != resource?.Process.Id)
            {
                Finish(resource);
                resource = new OtlpResource(
                    usage.Process,
                    NewResource(source, usage.Process),
                    new InstrumentationScope { Name = "nativeheap", Version = source.Info.ToolVersion ?? "" },
                    [.. SampleTypes.All.Select(type => export.NewProfile(source, type))]);
            }

            export.Add(usage, resource);
        }

        Finish(resource);
        export.WriteTables(coded, output);

        void Finish(OtlpResource? last)
        {
            last?.WriteTo(coded, output);
            last?.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stackTable.Dispose();

    // What these tables hold is complete when all samples are there; readers take fields in any order.
    private void WriteTables(CodedOutputStream coded, Stream output)
    {
        coded.WriteTag(ProfilesData.DictionaryFieldNumber, WireFormat.WireType.LengthDelimited);
        coded.WriteLength(checked(_tables.CalculateSize() + _stackTable.Length));
        _tables.WriteTo(coded);
        coded.Flush();
        _stackTable.WriteTo(output);
    }

    private static Resource NewResource(ExportSource source, ProcessInfo process)
    {
        var resource = new Resource();
        resource.Attributes.Add(new KeyValue { Key = "process.pid", Value = new AnyValue { IntValue = process.Pid } });
        foreach (var (key, value) in new[]
        {
            ("process.executable.path", process.Executable),
            ("process.command_line", process.Command),
            ("service.name", process.Executable is { } path ? Path.GetFileName(path) : null),
            ("host.name", source.Info.Host),
        })
        {
            if (value is not null)
            {
                resource.Attributes.Add(new KeyValue { Key = key, Value = new AnyValue { StringValue = Valid(value) } });
            }
        }

        return resource;
    }

    private Profile NewProfile(ExportSource source, (string Type, string Unit) type)
    {
        var profile = new Profile
        {
            SampleType = new ValueType { TypeStrindex = _strings[type.Type], UnitStrindex = _strings[Unit(type.Unit)] },
            TimeUnixNano = (ulong)(source.Info.StartUnixNs ?? 0),
            DurationNano = (ulong)source.DurationNs,
            PeriodType = new ValueType { TypeStrindex = _strings["space"], UnitStrindex = _strings[Unit("bytes")] },
            Period = source.PeriodBytes,
            ProfileId = ByteString.CopyFrom(Guid.NewGuid().ToByteArray()),
        };
        profile.AttributeIndices.Add(Attribute("nativeheap.figures", source.Info.Exact ? "exact" : Figures.Remark));
        return profile;
    }

    // UCUM, in which the specification wants units.
    private static string Unit(string unit) => unit == "bytes" ? "By" : "1";

    private void Add(SampleUsage usage, OtlpResource resource)
    {
        _sample.StackIndex = StackOf(usage.Node);
        _sample.AttributeIndices.Clear();
        if (usage.Thread is { } thread)
        {
            _sample.AttributeIndices.Add(Attribute("thread.id", thread.Tid));
            if (thread.Name is { } name)
            {
                _sample.AttributeIndices.Add(Attribute("thread.name", name));
            }
        }

        var values = SampleTypes.Values(usage);
        for (var i = 0; i < values.Length; i++)
        {
            if (values[i] != 0)
            {
                _sample.Values.Clear();
                _sample.Values.Add(values[i]);
                resource.Add(i, _sample);
            }
        }
    }

    private int StackOf(int node)
    {
        ref var index = ref _stackOf[_places.CallerOf(node)];
        if (index == 0)
        {
            index = _stackTable.Count;
            _places.Walk(node, _stack);
            AddNewLocations();
            _stackMessage.LocationIndices.Clear();
            foreach (var place in _stack)
            {
                _stackMessage.LocationIndices.Add(place + 1);
            }

            _stackTable.Add(_stackMessage);
        }

        return index;
    }

    // A place's location has its number and 1: the first of the table is empty.
    private void AddNewLocations()
    {
        for (var place = _tables.LocationTable.Count - 1; place < _places.Count; place++)
        {
            var location = new Location
            {
                Address = _places.CallAddress(place),
                MappingIndex = MappingOf(_places.Physical(place).Location.Module),
            };
            foreach (var number in _places.FramesOf(place))
            {
                var frame = _places.Tree.Frame(number);
                location.Lines.Add(new Line { FunctionIndex = FunctionOf(number, frame), Line_ = frame.Name?.Line ?? 0 });
            }

            _tables.LocationTable.Add(location);
        }
    }

    private int FunctionOf(int number, Frame frame)
    {
        if (_functionOf[number] is not 0 and var known)
        {
            return known;
        }

        var key = (Name: StackText.PlainName(frame), File: Valid(frame.Name?.File ?? ""));
        if (!_functions.TryGetValue(key, out var index))
        {
            index = _tables.FunctionTable.Count;
            _functions.Add(key, index);
            var text = _strings[key.Name];
            _tables.FunctionTable.Add(new Function
            {
                NameStrindex = text,
                SystemNameStrindex = text,
                FilenameStrindex = _strings[key.File],
            });
        }

        _functionOf[number] = index;
        return index;
    }

    private int MappingOf(Binary? module)
    {
        if (module is null)
        {
            return 0;
        }

        if (!_mappings.TryGetValue(module.Path, out var index))
        {
            index = _tables.MappingTable.Count;
            _mappings.Add(module.Path, index);
            var mapping = new Mapping { FilenameStrindex = _strings[Valid(module.Path)] };
            if (module.BuildId is { } id)
            {
                mapping.AttributeIndices.Add(Attribute("process.executable.build_id.gnu", id));
            }

            _tables.MappingTable.Add(mapping);
        }

        return index;
    }

    private int Attribute(string key, long value)
    {
        if (!_numbers.TryGetValue((key, value), out var index))
        {
            index = Add(key, new AnyValue { IntValue = value });
            _numbers.Add((key, value), index);
        }

        return index;
    }

    private int Attribute(string key, string value)
    {
        if (!_words.TryGetValue((key, value), out var index))
        {
            index = Add(key, new AnyValue { StringValue = Valid(value) });
            _words.Add((key, value), index);
        }

        return index;
    }

    private int Add(string key, AnyValue value)
    {
        _tables.AttributeTable.Add(new KeyValueAndUnit { KeyStrindex = _strings[key], Value = value });
        return _tables.AttributeTable.Count - 1;
    }

    private static string Valid(string text) => Words.Printable(text);
}
