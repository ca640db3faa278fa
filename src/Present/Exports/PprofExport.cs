using System.Globalization;
using System.IO.Compression;
using Google.Protobuf;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present.Exports.Pprof;
using Location = NativeHeap.Present.Exports.Pprof.Location;
using Profile = NativeHeap.Present.Exports.Pprof.Profile;
using ValueType = NativeHeap.Present.Exports.Pprof.ValueType;

namespace NativeHeap.Present.Exports;

/// <summary>
/// A heap profile for pprof, gzipped: allocated objects and bytes, then live ones, which is the order that Go's heap
/// profiles have. Symbolized, with a mapping and build id for each module; addresses are ELF virtual addresses of calls.
/// A sample is what one thread of one process allocated by a stack, and is labelled so.
/// </summary>
internal sealed class PprofExport
{
    private const string NoModule = "[code of no module]"; // some readers want a mapping for every place

    private readonly Profile _profile = new();
    private readonly StringTable _strings;
    private readonly Dictionary<string, ulong> _mappings = new(StringComparer.Ordinal);
    private readonly CallPlaces _places;
    private readonly ulong[] _functionOf; // of a frame of the tree; 0: not met yet
    private readonly Dictionary<(string Name, string File), ulong> _functions = [];
    private readonly List<int> _stack = [];
    private readonly Sample _sample = new(); // one for all: a profile of half a million would be hundreds of megabytes
    private readonly Label _size, _lifetime, _resident;
    private readonly Dictionary<(string Key, int Id), Label> _labels = [];
    private readonly double? _residentShare;

    private PprofExport(ExportSource source)
    {
        _strings = new StringTable(_profile.StringTable);
        _places = new CallPlaces(source.Stacks);
        _functionOf = new ulong[source.Stacks.FrameCount];
        _residentShare = source.ResidentShare;
        _size = NumberLabel("bytes", "bytes");
        _lifetime = NumberLabel("avg_lifetime", "nanoseconds");
        _resident = NumberLabel("resident_space", "bytes");
    }

    /// <summary>Writes all samples.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="source">The trace.</param>
    public static void Write(Stream output, ExportSource source)
    {
        var export = new PprofExport(source);
        export.Describe(source);
        if (source.Program is { } program)
        {
            export.MappingOf(program); // must come first
        }

        using var zipped = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true);
        using var coded = new CodedOutputStream(zipped, 1 << 16);
        foreach (var usage in source.Samples)
        {
            export.Fill(usage);
            coded.WriteTag(Profile.SampleFieldNumber, WireFormat.WireType.LengthDelimited);
            coded.WriteMessage(export._sample);
        }

        export._profile.WriteTo(coded); // a message may be written in parts
    }

    private void Describe(ExportSource source)
    {
        foreach (var (type, unit) in SampleTypes.All)
        {
            _profile.SampleType.Add(new ValueType { Type = _strings[type], Unit = _strings[unit] });
        }

        _profile.DefaultSampleType = _strings["inuse_space"];
        _profile.PeriodType = new ValueType { Type = _strings["space"], Unit = _strings["bytes"] };
        _profile.Period = source.PeriodBytes;
        _profile.TimeNanos = source.Info.StartUnixNs ?? 0;
        _profile.DurationNanos = source.DurationNs;
        _profile.Comment.Add(_strings[source.Remark]);
    }

    private void Fill(SampleUsage usage)
    {
        _places.Walk(usage.Node, _stack);
        AddNewLocations();
        _sample.LocationId.Clear();
        foreach (var place in _stack)
        {
            _sample.LocationId.Add((ulong)place + 1);
        }

        _sample.Value.Clear();
        _sample.Value.Add(SampleTypes.Values(usage));
        _sample.Label.Clear();
        if (usage.Allocations > 0)
        {
            AddNumber(_size, usage.AllocatedBytes / usage.Allocations);
        }

        if (usage.MeanLifetimeNs is { } lifetime)
        {
            AddNumber(_lifetime, lifetime);
        }

        if (_residentShare is { } share && usage.LiveBytes > 0)
        {
            AddNumber(_resident, (long)(usage.LiveBytes * share));
        }

        _sample.Label.Add(LabelOf(("process", usage.Process.Pid), pid => pid.ToString(CultureInfo.InvariantCulture)));
        if (usage.Thread is { } thread)
        {
            _sample.Label.Add(LabelOf(("thread", thread.Id), _ => SampleTypes.NameOf(thread)));
        }
    }

    private void AddNumber(Label label, long value)
    {
        label.Num = value;
        _sample.Label.Add(label);
    }

    private Label NumberLabel(string key, string unit) => new() { Key = _strings[key], NumUnit = _strings[unit] };

    // One object for all samples of a process or thread.
    private Label LabelOf((string Key, int Id) what, Func<int, string> text)
    {
        if (!_labels.TryGetValue(what, out var label))
        {
            label = new Label { Key = _strings[what.Key], Str = _strings[text(what.Id)] };
            _labels.Add(what, label);
        }

        return label;
    }

    // A place's location has its number and 1.
    private void AddNewLocations()
    {
        for (var place = _profile.Location.Count; place < _places.Count; place++)
        {
            var location = new Location
            {
                Id = (ulong)place + 1,
                Address = _places.CallAddress(place),
                MappingId = MappingOf(_places.Physical(place).Location.Module),
            };
            foreach (var number in _places.FramesOf(place))
            {
                var frame = _places.Tree.Frame(number);
                location.Line.Add(new Line { FunctionId = FunctionOf(number, frame), Line_ = frame.Name?.Line ?? 0 });
            }

            _profile.Location.Add(location);
        }
    }

    private ulong FunctionOf(int number, Frame frame)
    {
        if (_functionOf[number] is not 0 and var known)
        {
            return known;
        }

        var name = StackText.PlainName(frame);
        var file = frame.Name?.File ?? "";
        if (!_functions.TryGetValue((name, file), out var id))
        {
            id = (ulong)_profile.Function.Count + 1;
            _functions.Add((name, file), id);
            var text = _strings[name];
            _profile.Function.Add(new Function { Id = id, Name = text, SystemName = text, Filename = _strings[file] });
        }

        _functionOf[number] = id;
        return id;
    }

    private ulong MappingOf(Binary? module)
    {
        var path = module?.Path ?? NoModule;
        if (!_mappings.TryGetValue(path, out var id))
        {
            id = (ulong)_profile.Mapping.Count + 1;
            _mappings.Add(path, id);
            _profile.Mapping.Add(new Mapping
            {
                Id = id,
                Filename = _strings[path],
                BuildId = _strings[module?.BuildId ?? ""],
                HasFunctions = true,
                HasFilenames = true,
                HasLineNumbers = true,
                HasInlineFrames = true,
            });
        }

        return id;
    }
}
