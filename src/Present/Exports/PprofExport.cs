using System.IO.Compression;
using Google.Protobuf;
using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Present.Exports.Pprof;
using NativeHeap.Trace;
using Location = NativeHeap.Present.Exports.Pprof.Location;
using Profile = NativeHeap.Present.Exports.Pprof.Profile;
using ValueType = NativeHeap.Present.Exports.Pprof.ValueType;

namespace NativeHeap.Present.Exports;

/// <summary>
/// A heap profile for pprof, gzipped: allocated objects and bytes, then live ones, which is the order that Go's heap
/// profiles have. Symbolized, with a mapping and build id for each module; addresses are ELF virtual addresses.
/// </summary>
internal sealed class PprofExport
{
    private readonly Profile _profile = new();
    private readonly Dictionary<string, int> _strings = new(StringComparer.Ordinal);
    private readonly Dictionary<Binary, ulong> _mappings = [];
    private readonly Dictionary<(string Name, string File), ulong> _functions = [];
    private readonly Dictionary<(Frame Physical, Frame Innermost), ulong> _locations = [];

    private PprofExport() => Text("");

    /// <summary>Writes all stacks.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="info">The trace's own words.</param>
    /// <param name="program">The program that was started, whose mapping must come first; null: unknown.</param>
    /// <param name="durationNs">How long was recorded.</param>
    /// <param name="stacks">The stacks; enumerated twice.</param>
    public static void Write(
        Stream output, TraceInfo info, string? program, long durationNs, IReadOnlyList<StackUsage> stacks)
    {
        var export = new PprofExport();
        export.Describe(info, durationNs);
        var own = stacks.SelectMany(stack => stack.Stack.Frames).Select(frame => frame.Location.Module)
            .FirstOrDefault(module => module is not null && module.Path == program);
        if (own is not null)
        {
            export.MappingOf(own);
        }

        foreach (var stack in stacks)
        {
            export.Add(stack);
        }

        using var zipped = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true);
        export._profile.WriteTo(zipped);
    }

    private void Describe(TraceInfo info, long durationNs)
    {
        foreach (var (type, unit) in new[]
        {
            ("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes"),
        })
        {
            _profile.SampleType.Add(new ValueType { Type = Text(type), Unit = Text(unit) });
        }

        _profile.DefaultSampleType = Text("inuse_space");
        _profile.PeriodType = new ValueType { Type = Text("space"), Unit = Text("bytes") };
        _profile.Period = info.SampleBytes is { } bytes and > 0 ? bytes : 1;
        _profile.TimeNanos = info.StartUnixNs ?? 0;
        _profile.DurationNanos = durationNs;
        _profile.Comment.Add(Text(info.Exact ? "exact: every allocation was recorded" : "estimates from samples"));
    }

    private void Add(StackUsage usage)
    {
        var sample = new Sample();
        var frames = usage.Stack.Frames;
        for (var i = 0; i < frames.Count; i++)
        {
            var innermost = frames[i];
            var first = i;
            while (frames[i].Name?.Inlined == true && i + 1 < frames.Count)
            {
                i++;
            }

            sample.LocationId.Add(LocationOf(innermost, frames, first, i));
        }

        sample.Value.Add([usage.Allocations, usage.AllocatedBytes, usage.LiveBlocks, usage.LiveBytes]);
        if (usage.Allocations > 0)
        {
            sample.Label.Add(new Label
            {
                Key = Text("bytes"),
                Num = usage.AllocatedBytes / usage.Allocations,
                NumUnit = Text("bytes"),
            });
        }

        _profile.Sample.Add(sample);
    }

    private ulong LocationOf(Frame innermost, IReadOnlyList<Frame> frames, int first, int last)
    {
        var physical = frames[last];
        if (_locations.TryGetValue((physical, innermost), out var id))
        {
            return id;
        }

        id = (ulong)_profile.Location.Count + 1;
        _locations.Add((physical, innermost), id);
        var place = physical.Location;
        var location = new Location
        {
            Id = id,
            Address = physical.Marker is null ? place.Offset : 0,
            MappingId = place.Module is { } module ? MappingOf(module) : 0,
        };
        for (var i = first; i <= last; i++)
        {
            location.Line.Add(new Line
            {
                FunctionId = FunctionOf(frames[i]),
                Line_ = frames[i].Name?.Line ?? 0,
            });
        }

        _profile.Location.Add(location);
        return id;
    }

    private ulong FunctionOf(Frame frame)
    {
        var name = StackText.PlainName(frame);
        var file = frame.Name?.File ?? "";
        if (!_functions.TryGetValue((name, file), out var id))
        {
            id = (ulong)_profile.Function.Count + 1;
            _functions.Add((name, file), id);
            _profile.Function.Add(new Function
            {
                Id = id,
                Name = Text(name),
                SystemName = Text(name),
                Filename = Text(file),
            });
        }

        return id;
    }

    private ulong MappingOf(Binary module)
    {
        if (!_mappings.TryGetValue(module, out var id))
        {
            id = (ulong)_profile.Mapping.Count + 1;
            _mappings.Add(module, id);
            _profile.Mapping.Add(new Mapping
            {
                Id = id,
                Filename = Text(module.Path),
                BuildId = Text(module.BuildId ?? ""),
                HasFunctions = true,
                HasFilenames = true,
                HasLineNumbers = true,
                HasInlineFrames = true,
            });
        }

        return id;
    }

    private int Text(string text)
    {
        if (!_strings.TryGetValue(text, out var index))
        {
            index = _profile.StringTable.Count;
            _strings.Add(text, index);
            _profile.StringTable.Add(text);
        }

        return index;
    }
}
