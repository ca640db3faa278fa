using System.Globalization;
using DuckDB.NET.Data;
using NativeHeap.Analysis;
using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Present.Exports;
using NativeHeap.Testing;

namespace NativeHeap.Present.Tests.Exports;

/// <summary>A folder of 20 traces as one data set, read by DuckDB, and its totals those of each trace's report.</summary>
public sealed class ParquetTests : IDisposable
{
    private const int Traces = 20;

    private readonly TempFolder _folder = new();
    private readonly DuckDBConnection _duck = new("DataSource=:memory:");
    private readonly List<Totals> _totals = [];

    public ParquetTests()
    {
        for (var i = 0; i < Traces; i++)
        {
            var trace = SampleTrace.Build().Meta("start_unix_ns", 1_700_000_000_000_000_000 + i);
            trace.Blocks(1, trace.Stack(trace.Code(1, 0x9000 + i, new ResolvedFrame($"only{i}", "only.c", i + 1, false)), trace.Entry(EntryPoint.Malloc)), 7, -1, i, i * 1000L);
            var path = trace.Write(_folder[$"server{i % 2}.nheap"]); // names that come again
            ParquetExport.Write(path, DataSet, force: false);
            using var profile = Profile.Open(path);
            _totals.Add(profile.Totals());
            File.Delete(path);
        }

        _duck.Open();
    }

    private string DataSet => _folder["set"];

    public void Dispose()
    {
        _duck.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Every_relation_adds_up_to_the_totals_of_all_traces()
    {
        var (allocations, allocated) = (_totals.Sum(t => t.Allocations), _totals.Sum(t => t.AllocatedBytes));
        var (frees, freed) = (_totals.Sum(t => t.Frees), _totals.Sum(t => t.FreedBytes));
        Assert.Equal([Traces, Traces], Numbers("SELECT count(*), count(DISTINCT trace) FROM {trace}"));
        Assert.Equal(
            [allocations, allocated, frees, freed],
            Numbers("SELECT sum(allocations), sum(allocated_bytes), sum(frees), sum(freed_bytes) FROM {process}"));
        Assert.Equal(
            [allocations, allocated, frees, freed],
            Numbers("SELECT sum(allocations), sum(allocated_bytes), sum(frees), sum(freed_bytes) FROM {stack_total}"));
        Assert.Equal([allocations, allocated], Numbers("SELECT sum(blocks), sum(bytes) FROM {cohort}"));
        Assert.Equal([frees, freed], Numbers("SELECT sum(blocks), sum(bytes) FROM {cohort} WHERE death >= 0"));
    }

    [Fact]
    public void Traces_keep_apart_what_each_has()
    {
        var live = Numbers(
            "SELECT sum(p.live_bytes) FROM {process} p JOIN {trace} t USING (trace) GROUP BY t.trace, t.start_unix_ns ORDER BY t.start_unix_ns");
        Assert.Equal(_totals.Select(t => t.LiveBytes), live);
    }

    [Fact]
    public void Names_are_found_by_joining_stacks_with_frames()
    {
        const string Query = """
            SELECT f.function, f.line, t.allocated_bytes
            FROM {stack_total} t
            JOIN {stack} leaf USING (trace, stack_id)
            JOIN {stack} caller ON caller.trace = leaf.trace AND caller.stack_id = leaf.parent_id
            JOIN {frame} f ON f.trace = caller.trace AND f.location_id = caller.location_id AND f.position = 0
            WHERE f.file = 'only.c' ORDER BY t.allocated_bytes
            """;
        using var command = Command(Query);
        using var reader = command.ExecuteReader();
        var rows = new List<(string, long, long)>();
        while (reader.Read())
        {
            rows.Add((reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2)));
        }

        Assert.Equal(Enumerable.Range(0, Traces).Select(i => ($"only{i}", i + 1L, i * 1000L)), rows);
    }

    [Fact]
    public void The_queries_of_the_documentation_work()
    {
        var page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "parquet.md"));
        var queries = page.Split("```sql\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)]).ToList();

        Assert.True(queries.Count >= 3, "the page lost its queries");
        foreach (var query in queries)
        {
            using var command = _duck.CreateCommand();
            command.CommandText = query.Replace("traces/", DataSet + "/", StringComparison.Ordinal);
            using var reader = command.ExecuteReader();
            Assert.True(reader.Read(), query);
        }
    }

    private DuckDBCommand Command(string sql)
    {
        var command = _duck.CreateCommand();
        foreach (var relation in new[] { "trace", "process", "stack_total", "cohort", "stack", "frame" })
        {
            sql = sql.Replace("{" + relation + "}", $"read_parquet('{DataSet}/{relation}/*.parquet')", StringComparison.Ordinal);
        }

        command.CommandText = sql;
        return command;
    }

    private List<long> Numbers(string sql)
    {
        using var command = Command(sql);
        using var reader = command.ExecuteReader();
        var numbers = new List<long>();
        while (reader.Read())
        {
            for (var i = 0; i < reader.FieldCount; i++)
            {
                numbers.Add(long.Parse(reader.GetValue(i).ToString()!, CultureInfo.InvariantCulture)); // sums are 128 bits wide
            }
        }

        return numbers;
    }
}
