using System.Globalization;
using System.Text.Json;

namespace NativeHeap.EndToEnd.Mappings;

/// <summary>What a program says of its own mappings (tests/targets/mappings.c), or a recording of them.</summary>
internal sealed record MappedSums(long Mappings, long MappedBytes, long Unmappings, long UnmappedBytes)
{
    private const string Word = "mappings ";

    /// <summary>From a line that the target printed.</summary>
    public static MappedSums ParseTarget(string line)
    {
        var numbers = line[(line.IndexOf(Word, StringComparison.Ordinal) + Word.Length)..].Split(' ')
            .Select(number => long.Parse(number, CultureInfo.InvariantCulture)).ToList();
        return new MappedSums(numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    /// <summary>What <c>report --json</c> says; also that its parts go together.</summary>
    public static MappedSums Of(string trace, params string[] options)
    {
        var mapped = Read(trace, options).GetProperty("mapped");
        var sums = new MappedSums(
            Number(mapped, "mappings"), Number(mapped, "mapped_bytes"), Number(mapped, "unmappings"), Number(mapped, "unmapped_bytes"));
        Assert.Equal(sums.Mappings - sums.Unmappings, Number(mapped, "live_mappings"));
        Assert.Equal(sums.MappedBytes - sums.UnmappedBytes, Number(mapped, "live_bytes"));
        return sums;
    }

    /// <summary>The stacks of mappings by a measure.</summary>
    public static IReadOnlyList<ReportedStack> Stacks(string trace, string measure) =>
        Report.Parse(Read(trace, ["--mmap", "--by", measure])).Stacks;

    /// <summary>A report as it is.</summary>
    public static JsonElement Read(string trace, IReadOnlyList<string> options) => JsonDocument.Parse(
        Program.Run(["dotnet", Built.Command, "report", trace, "--json", .. options]).Expect(0).Output).RootElement;

    public static long Number(JsonElement mapped, string name) => mapped.GetProperty(name).GetInt64();
}
