using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace NativeHeap.EndToEnd.Reading;

/// <summary>Exports of one recording, read back by the programs that they are for; totals are those of the report.</summary>
public sealed class ExportTests(ExportTests.Recorded recorded) : IClassFixture<ExportTests.Recorded>
{
    public sealed class Recorded : IDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly Recording _trace;

        public Recorded()
        {
            _trace = Recording.Run(_folder, [Built.Target("line_by_line"), "3"]);
            _trace.Outcome.Expect(0);
        }

        internal string Folder => _folder.Path;

        internal string Path => _trace.TracePath;

        internal Sums Sums => _trace.Report.Totals.Sums;

        internal int Pid => _trace.Report.Processes[0].Pid;

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void Folded_stacks_add_up_to_what_is_live()
    {
        var lines = File.ReadAllLines(Export("folded"));

        Assert.Equal(recorded.Sums.LiveBytes, lines.Sum(line => Number(line[(line.LastIndexOf(' ') + 1)..])));
        Assert.Contains(lines, line => line.EndsWith(";main;twice;malloc 300", StringComparison.Ordinal));
    }

    [Fact]
    public void A_speedscope_profile_is_consistent_and_adds_up_to_what_was_allocated()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Export("speedscope", "--by", "allocated")));
        var frames = document.RootElement.GetProperty("shared").GetProperty("frames").GetArrayLength();
        var profile = Assert.Single(document.RootElement.GetProperty("profiles").EnumerateArray());
        var weights = profile.GetProperty("weights").EnumerateArray().Select(weight => weight.GetInt64()).ToList();
        var samples = profile.GetProperty("samples").EnumerateArray().ToList();

        Assert.Equal(recorded.Sums.AllocatedBytes, weights.Sum());
        Assert.Equal(weights.Sum(), profile.GetProperty("endValue").GetInt64());
        Assert.Equal(weights.Count, samples.Count);
        Assert.All(samples, sample => Assert.All(sample.EnumerateArray(), frame => Assert.InRange(frame.GetInt32(), 0, frames - 1)));
    }

    [Fact]
    public void Speedscope_profiles_keep_to_the_schema_that_it_publishes()
    {
        var schema = JsonSchema.FromText(File.ReadAllText(SpeedscopeSchema()));
        foreach (var measure in new[] { "live", "count" })
        {
            var profile = JsonNode.Parse(File.ReadAllText(Export("speedscope", "--by", measure)))!;
            Assert.True(IsValid(profile), $"--by {measure} does not keep to the schema");
            profile["profiles"]![0]!["unit"] = "objects"; // no unit that it knows
            Assert.False(IsValid(profile));
        }

        bool IsValid(JsonNode node) => schema.Evaluate(JsonSerializer.SerializeToElement(node)).IsValid;
    }

    [Theory]
    [InlineData("alloc_space")]
    [InlineData("alloc_objects")]
    [InlineData("inuse_space")]
    [InlineData("inuse_objects")]
    public void Go_reads_a_pprof_profile_and_finds_what_the_report_says(string type)
    {
        var (unit, total) = Expected(type);
        var top = GoPprof(
            "-top", "-nodefraction=0", $"-sample_index={type}", $"-unit={unit}", Export("pprof"));

        Assert.Contains("File: line_by_line", top, StringComparison.Ordinal);
        Assert.Contains($" of {total}{(unit == "B" ? "B" : "")} total", top, StringComparison.Ordinal);
        Assert.Contains("recursive", top, StringComparison.Ordinal);
    }

    [Fact]
    public void Samples_of_a_pprof_profile_are_labelled_by_size_lifetime_process_and_thread()
    {
        var tags = GoPprof("-tags", "-sample_index=alloc_objects", Export("pprof"));

        foreach (var label in new[] { "bytes", "avg_lifetime", "process", "thread" })
        {
            Assert.Contains($"{label}: Total ", tags, StringComparison.Ordinal);
        }

        var single = GoPprof("-tags", "-sample_index=inuse_space", "-unit=B", Export("pprof"));
        Assert.Matches($@"process: Total {recorded.Sums.LiveBytes}B?(\.0)?B?\s", single);
        Assert.Matches($@"\(\s*100%\): {recorded.Pid}\s", single);
        var raw = GoPprof("-raw", Export("pprof"));
        Assert.Contains("alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes", raw, StringComparison.Ordinal);
        Assert.Matches(@"1: 0x0/0x0/0x0 .*line_by_line [0-9a-f]{40} \[FN\]", raw); // mappings: the program first, with its build id
    }

    [Theory]
    [InlineData("--inuse_space")]
    [InlineData("--inuse_objects")]
    [InlineData("--alloc_space")]
    [InlineData("--alloc_objects")]
    public void Google_pprof_reads_the_text_format_and_finds_names_lines_and_totals(string type)
    {
        var (unit, total) = Expected(type[2..]);
        var text = Program.Run(
            ["google-pprof", "--text", "--lines", "--show_bytes", type, Built.Target("line_by_line"), Export("gperftools")]).Expect(0);

        Assert.Contains($"Total: {total} {(unit == "B" ? "B" : "objects")}", text.Output, StringComparison.Ordinal);
        Assert.Contains("tests/targets/line_by_line.cpp:53", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Go_reads_the_text_format_too()
    {
        var top = GoPprof("-top", "-nodefraction=0", "-sample_index=inuse_space", "-unit=B", Export("gperftools"));

        Assert.Contains($" of {recorded.Sums.LiveBytes}B total", top, StringComparison.Ordinal);
        Assert.Contains("recursive", top, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_of_an_OTLP_profile_read_by_OpenTelemetrys_own_definitions_add_up_to_the_reports()
    {
        const string Package = "opentelemetry-proto==1.45.2";
        const string Sum = """
            import sys
            from opentelemetry.proto.profiles.v1development import profiles_pb2
            data = profiles_pb2.ProfilesData()
            data.ParseFromString(open(sys.argv[1], "rb").read())
            strings = data.dictionary.string_table
            for resource in data.resource_profiles:
                for scope in resource.scope_profiles:
                    for profile in scope.profiles:
                        assert not [s for s in profile.samples if not 0 < s.stack_index < len(data.dictionary.stack_table)]
                        print(strings[profile.sample_type.type_strindex], sum(v for s in profile.samples for v in s.values))
            """;
        const string Definitions = "import opentelemetry.proto.profiles.v1development.profiles_pb2";
        Surroundings? around = null;
        if (Program.Run(["python3", "-c", Definitions]).ExitCode != 0) // a distribution's package has them, or they are made with protoc
        {
            var folder = Path.Combine(recorded.Folder, "python");
            var pip = Tool.Exists("pip3") ? Program.Run(["pip3", "install", "--quiet", "--target", folder, Package]) : null;
            Assert.SkipUnless(pip is { ExitCode: 0 }, $"python3 has no opentelemetry.proto of profiles, and pip3 cannot get {Package}");
            around = new Surroundings { Environment = new Dictionary<string, string?> { ["PYTHONPATH"] = folder } };
        }

        var sums = Program.Run(["python3", "-c", Sum, Export("otlp")], around).Expect(0).Output;

        Assert.Equal(
            $"alloc_objects {recorded.Sums.Allocations}\nalloc_space {recorded.Sums.AllocatedBytes}\n"
            + $"inuse_objects {recorded.Sums.LiveBlocks}\ninuse_space {recorded.Sums.LiveBytes}\n",
            sums);
    }

    [Fact]
    public void Blocks_that_are_never_freed_in_a_firefox_profile_are_what_is_live()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Export("firefox")));
        var thread = Assert.Single(document.RootElement.GetProperty("threads").EnumerateArray());
        var table = thread.GetProperty("nativeAllocations");
        var (weights, addresses, stacks) = (Numbers(table, "weight"), Numbers(table, "memoryAddress"), Numbers(table, "stack"));
        var held = new Dictionary<long, (long Bytes, long Stack)>();
        for (var i = 0; i < weights.Count; i++)
        {
            if (weights[i] >= 0)
            {
                held.Add(addresses[i], (weights[i], stacks[i]));
            }
            else
            {
                Assert.Equal((-weights[i], stacks[i]), held[addresses[i]]); // freed once, after it was born
                held.Remove(addresses[i]);
            }
        }

        Assert.Equal(recorded.Sums.LiveBytes, held.Values.Sum(block => block.Bytes));
        Assert.Equal(recorded.Sums.AllocatedBytes, weights.Where(weight => weight > 0).Sum());
        var times = table.GetProperty("time").EnumerateArray().Select(time => time.GetDouble()).ToList();
        Assert.Equal(times.Order(), times);
        foreach (var name in new[] { "nativeAllocations", "stackTable", "frameTable", "funcTable", "resourceTable" })
        {
            var length = thread.GetProperty(name).GetProperty("length").GetInt32();
            Assert.All(
                thread.GetProperty(name).EnumerateObject().Where(column => column.Value.ValueKind == JsonValueKind.Array),
                column => Assert.Equal(length, column.Value.GetArrayLength()));
        }
    }

    [Fact]
    public void Parquet_is_a_folder_with_a_file_for_each_relation_and_keeps_what_it_has()
    {
        var folder = Path.Combine(recorded.Folder, "dataset");
        Verb("export", recorded.Path, "--format", "parquet", "-o", folder).Expect(0);
        var files = Directory.GetFiles(folder, "*", SearchOption.AllDirectories);

        Assert.All(files, file => Assert.Equal("PAR1"u8.ToArray(), File.ReadAllBytes(file)[..4]));
        Assert.Equal(14, files.Length);
        var refusal = Verb("export", recorded.Path, "--format", "parquet", "-o", folder).Expect(2);
        Assert.Contains("has this trace already", Assert.Single(refusal.Said), StringComparison.Ordinal);
        Verb("export", recorded.Path, "--format", "parquet", "-o", folder, "--force").Expect(0);
        Assert.Equal(files.Order(), Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order());
    }

    [Theory]
    [InlineData("--format", "nonsense")]
    [InlineData("--format", "pprof", "--by", "peak")]
    [InlineData("--format", "otlp", "--by", "live")]
    [InlineData("--format", "parquet", "--pid", "1")]
    [InlineData("--format", "folded", "--pid", "1")]
    public void An_unknown_format_or_a_choice_that_it_has_not_is_refused_in_one_line(params string[] options)
    {
        var outcome = Verb(["export", recorded.Path, "-o", Path.Combine(recorded.Folder, "refused"), .. options]).Expect(2);

        Assert.Equal("", outcome.OwnErrors);
        Assert.Single(outcome.Said, line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.False(Path.Exists(Path.Combine(recorded.Folder, "refused")));
    }

    private static Outcome Verb(params string[] words) => Program.Run(["dotnet", Built.Command, .. words]);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static List<long> Numbers(JsonElement table, string column) =>
        [.. table.GetProperty(column).EnumerateArray().Select(value => value.ValueKind == JsonValueKind.Null ? -1 : value.GetInt64())];

    private (string Unit, long Total) Expected(string type) => type switch
    {
        "alloc_space" => ("B", recorded.Sums.AllocatedBytes),
        "alloc_objects" => ("count", recorded.Sums.Allocations),
        "inuse_space" => ("B", recorded.Sums.LiveBytes),
        _ => ("count", recorded.Sums.LiveBlocks),
    };

    private string GoPprof(params string[] words)
    {
        var around = new Surroundings { Environment = new Dictionary<string, string?> { ["HOME"] = recorded.Folder } };
        return Program.Run(["go", "tool", "pprof", .. words], around).Expect(0).Output;
    }

    private string Export(string format, params string[] options)
    {
        var file = Path.Combine(recorded.Folder, $"{Guid.NewGuid():N}.{format}");
        Verb(["export", recorded.Path, "--format", format, "-o", file, .. options]).Expect(0);
        return file;
    }

    // Of the program itself, as npm has it.
    private string SpeedscopeSchema()
    {
        const string Package = "speedscope@1.25.0";
        var schema = Path.Combine(recorded.Folder, "package/dist/release/file-format-schema.json");
        var around = new Surroundings { Folder = recorded.Folder };
        if (!File.Exists(schema))
        {
            var pack = Tool.Exists("npm") ? Program.Run(["npm", "pack", "--silent", Package], around) : null;
            Assert.SkipUnless(pack is { ExitCode: 0 }, $"npm cannot get {Package}");
            Program.Run(["tar", "xzf", pack!.Output.Trim().Split('\n')[^1], "package/dist/release/file-format-schema.json"], around).Expect(0);
        }

        return schema;
    }
}
