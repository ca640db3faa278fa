using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Stacks;

/// <summary>The functions that stacks end in, which several places name.</summary>
public class EntryPointsTests
{
    private const string Prefix = "Entry";

    private static List<Marker> Markers =>
        [.. Enum.GetValues<Marker>().Where(marker => marker.ToString().StartsWith(Prefix, StringComparison.Ordinal))];

    [Fact]
    public void The_last_of_them_is_the_last_that_the_shim_and_the_collector_take_for_one()
    {
        Assert.Equal(WireConstants.LastEntry, (uint)Markers.Max());
        Assert.Equal(Enumerable.Range(1, Markers.Count), Markers.Select(marker => (int)marker).Order());
    }

    [Fact]
    public void Each_has_a_name_in_the_model_and_in_what_is_written_for_people()
    {
        Assert.Equal(Markers.Select(marker => (int)marker).Order(), Enum.GetValues<EntryPoint>().Select(entry => (int)entry).Order());
        var queries = ReadDocument("queries.md");
        var format = ReadDocument("trace-format.md");
        foreach (var entry in Enum.GetValues<EntryPoint>())
        {
            Assert.Contains($"WHEN {(int)entry} THEN '{entry.Name()}'", queries, StringComparison.Ordinal);
            Assert.Matches($@"\b{(int)entry} (a |the )?{entry.Name().Split(' ')[0]}\b", format);
        }
    }

    private static string ReadDocument(string name)
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "NativeHeap.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return File.ReadAllText(Path.Combine(folder, "docs", name));
    }
}
