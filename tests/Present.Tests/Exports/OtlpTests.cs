using Google.Protobuf.Reflection;
using NativeHeap.Analysis;
using NativeHeap.Fixtures;
using NativeHeap.Present.Exports;
using NativeHeap.Present.Exports.Otlp;
using NativeHeap.Testing;
using Profile = NativeHeap.Analysis.Profile;

namespace NativeHeap.Present.Tests.Exports;

/// <summary>OTLP profiles against the rules of the specification, and their totals against the report's.</summary>
public sealed class OtlpTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Profile _profile;
    private readonly ProfilesData _data;

    public OtlpTests()
    {
        _profile = Profile.Open(SampleTrace.Build().Write(_folder["a.nheap"]));
        using var stream = new MemoryStream();
        TraceExport.Write(stream, _profile, "otlp", new StackQuestion());
        _data = ProfilesData.Parser.ParseFrom(stream.ToArray());
    }

    public void Dispose()
    {
        _profile.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Each_process_has_a_profile_for_each_sample_type_that_adds_up_to_its_totals()
    {
        Assert.Equal(
            _profile.Processes.Select(process => (long)process.Pid),
            _data.ResourceProfiles.Select(resource => resource.Resource.Attributes.Single(a => a.Key == "process.pid").Value.IntValue));
        foreach (var (resource, process) in _data.ResourceProfiles.Zip(_profile.Processes))
        {
            var sums = Assert.Single(resource.ScopeProfiles).Profiles.Select(profile => (
                Text(profile.SampleType.TypeStrindex),
                Text(profile.SampleType.UnitStrindex),
                profile.Samples.Sum(sample => Assert.Single(sample.Values))));
            var totals = process.Totals;
            Assert.Equal(
                [("alloc_objects", "1", totals.Allocations), ("alloc_space", "By", totals.AllocatedBytes),
                    ("inuse_objects", "1", totals.LiveBlocks), ("inuse_space", "By", totals.LiveBytes)],
                sums);
        }
    }

    [Fact]
    public void Every_table_begins_with_its_zero_value_and_has_nothing_twice_and_every_index_is_in_it()
    {
        var tables = _data.Dictionary;
        Assert.Equal("", tables.StringTable[0]);
        Assert.Equal(new Mapping(), tables.MappingTable[0]);
        Assert.Equal(new Location(), tables.LocationTable[0]);
        Assert.Equal(new Function(), tables.FunctionTable[0]);
        Assert.Equal(new KeyValueAndUnit(), tables.AttributeTable[0]);
        Assert.Equal(new Stack(), tables.StackTable[0]);
        Assert.Equal((16, 8), (tables.LinkTable[0].TraceId.Length, tables.LinkTable[0].SpanId.Length));
        Assert.Equal(tables.StringTable.Count, tables.StringTable.Distinct().Count());
        Assert.Equal(tables.StackTable.Count, tables.StackTable.Distinct().Count());
        Assert.Equal(tables.FunctionTable.Count, tables.FunctionTable.Distinct().Count());

        var samples = _data.ResourceProfiles.SelectMany(r => r.ScopeProfiles).SelectMany(s => s.Profiles).SelectMany(p => p.Samples);
        Assert.All(samples, sample => Assert.InRange(sample.StackIndex, 1, tables.StackTable.Count - 1));
        Assert.All(tables.StackTable.SelectMany(stack => stack.LocationIndices), i => Assert.InRange(i, 1, tables.LocationTable.Count - 1));
        Assert.All(tables.LocationTable, location => Assert.InRange(location.MappingIndex, 0, tables.MappingTable.Count - 1));
        Assert.All(tables.LocationTable.SelectMany(l => l.Lines), line => Assert.InRange(line.FunctionIndex, 1, tables.FunctionTable.Count - 1));
    }

    [Fact]
    public void A_stack_reads_from_the_inlined_function_outwards_with_lines_and_build_ids()
    {
        var tables = _data.Dictionary;
        var parse = tables.LocationTable.Single(location => location.Lines.Count == 2);

        Assert.Equal(
            [("copy(char const*)", "text.h", 12L), ("parse(std::string)", "parse.cc", 40L)],
            parse.Lines.Select(line => (
                Text(tables.FunctionTable[line.FunctionIndex].NameStrindex),
                Text(tables.FunctionTable[line.FunctionIndex].FilenameStrindex),
                line.Line_)));
        Assert.Equal(0x11FFUL, parse.Address); // of the call: the return address is 0x1200
        var mapping = tables.MappingTable[parse.MappingIndex];
        var id = tables.AttributeTable[Assert.Single(mapping.AttributeIndices)];
        Assert.Equal(
            ("/srv/server", "process.executable.build_id.gnu", "0011aabb"),
            (Text(mapping.FilenameStrindex), Text(id.KeyStrindex), id.Value.StringValue));
    }

    // opentelemetry-proto v1.10: profiles/v1development/profiles.proto, common/v1/common.proto, resource/v1/resource.proto.
    [Fact]
    public void Fields_have_the_numbers_and_types_of_the_specification()
    {
        var expected = new Dictionary<string, string>
        {
            ["ProfilesData"] = "1 resource_profiles message*, 2 dictionary message",
            ["ProfilesDictionary"] = "1 mapping_table message*, 2 location_table message*, 3 function_table message*, 4 link_table message*, "
                + "5 string_table string*, 6 attribute_table message*, 7 stack_table message*",
            ["ResourceProfiles"] = "1 resource message, 2 scope_profiles message*",
            ["ScopeProfiles"] = "1 scope message, 2 profiles message*",
            ["Profile"] = "1 sample_type message, 2 samples message*, 3 time_unix_nano fixed64, 4 duration_nano uint64, 5 period_type message, "
                + "6 period int64, 7 profile_id bytes, 11 attribute_indices int32*",
            ["ValueType"] = "1 type_strindex int32, 2 unit_strindex int32",
            ["Sample"] = "1 stack_index int32, 2 attribute_indices int32*, 4 values int64*",
            ["Stack"] = "1 location_indices int32*",
            ["Location"] = "1 mapping_index int32, 2 address uint64, 3 lines message*",
            ["Line"] = "1 function_index int32, 2 line int64",
            ["Function"] = "1 name_strindex int32, 2 system_name_strindex int32, 3 filename_strindex int32",
            ["Mapping"] = "4 filename_strindex int32, 5 attribute_indices int32*",
            ["Link"] = "1 trace_id bytes, 2 span_id bytes",
            ["KeyValueAndUnit"] = "1 key_strindex int32, 2 value message, 3 unit_strindex int32",
            ["Resource"] = "1 attributes message*",
            ["InstrumentationScope"] = "1 name string, 2 version string",
            ["KeyValue"] = "1 key string, 2 value message",
            ["AnyValue"] = "1 string_value string, 2 bool_value bool, 3 int_value int64",
        };
        Assert.Equal(
            expected.OrderBy(message => message.Key, StringComparer.Ordinal),
            OtlpReflection.Descriptor.MessageTypes
                .ToDictionary(message => message.Name, Describe)
                .OrderBy(message => message.Key, StringComparer.Ordinal));
    }

    private static string Describe(MessageDescriptor message) => string.Join(", ", message.Fields.InFieldNumberOrder().Select(field =>
        $"{field.FieldNumber} {field.Name} {field.FieldType.ToString().ToLowerInvariant()}{(field.IsRepeated ? "*" : "")}"));

    private string Text(int index) => _data.Dictionary.StringTable[index];
}
