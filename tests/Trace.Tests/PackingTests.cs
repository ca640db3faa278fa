using CsCheck;
using Microsoft.Data.Sqlite;
using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Trace.Tests;

/// <summary>Rows that are written in many pieces, at many times, and read as one table.</summary>
public sealed class PackingTests : IDisposable
{
    private const int Stacks = 6;

    private readonly TempFolder _folder = new();

    private string TracePath => _folder["t.nheap"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Whatever_is_written_when_is_read_as_what_it_comes_to_while_recording_and_after()
    {
        var change = Gen.Select(
            Gen.Int[0, 6], Gen.Int[1, 2], Gen.Int[1, Stacks], Gen.Int[0, 9], Gen.Int[-1, 9], Gen.Long[-3, 1L << 40]);
        Gen.Select(change.Array[1, 30].Array[1, 6], Gen.Int[0, 3]).Sample(
            (commits, widened) =>
            {
                var model = new Model();
                using (var writer = Begin())
                {
                    for (var i = 0; i < commits.Length; i++)
                    {
                        writer.Begin();
                        if (i == widened)
                        {
                            writer.WidenBuckets(20_000_000);
                            model.Widen();
                        }

                        foreach (var (what, process, stack, birth, death, count) in commits[i])
                        {
                            model.Apply(writer, what, process, stack, birth, death, count);
                        }

                        writer.Commit();
                    }

                    model.Check(TracePath);
                    _ = writer.CountRows();
                    model.Check(TracePath);
                    writer.Close(1, complete: true);
                }

                model.Check(TracePath);
            },
            iter: 60,
            threads: 1);
    }

    [Fact]
    public void A_closed_trace_has_one_run_of_each_table_and_no_free_page()
    {
        using (var writer = Begin())
        {
            for (var n = 1; n <= 50; n++)
            {
                writer.Begin();
                for (var stack = 1; stack <= Stacks; stack++)
                {
                    for (var birth = 0; birth < 200; birth++)
                    {
                        writer.Add(new CohortRow(new ProcessId(1), new StackId(stack), birth, birth + n, 1, n));
                    }
                }

                writer.Commit();
            }

            writer.Close(1, complete: true);
        }

        Assert.Equal(1, Number("SELECT count(DISTINCT run) FROM packed WHERE content = 'cohort'"));
        Assert.Equal(60_000, Number("SELECT sum(rows) FROM packed WHERE content = 'cohort'"));
        Assert.InRange(Number("SELECT sum(length(data)) FROM packed"), 1, 60_000); // a byte a row: they are regular
        Assert.Equal(0, Number("PRAGMA freelist_count"));
    }

    [Fact]
    public void Pieces_of_a_long_recording_become_one_before_they_are_too_many_to_read()
    {
        using var writer = Begin();
        for (var n = 1; n <= 1500; n++)
        {
            writer.Begin();
            writer.Add(new CohortRow(new ProcessId(1), new StackId(1), 0, 0, 1, n));
            writer.Commit();
        }

        Assert.InRange(Number("SELECT count(*) FROM packed WHERE content = 'cohort'"), 1, 1001);
        using var trace = TraceReader.Open(TracePath);
        Assert.Equal([new CohortRow(new ProcessId(1), new StackId(1), 0, 0, 1500, 1500 * 1501 / 2)], trace.Cohorts());
    }

    [Fact]
    public void A_query_sees_packed_rows_in_the_tables_of_the_schema()
    {
        using (var writer = Begin())
        {
            writer.Begin();
            writer.Put(Total(1, 2, 5, 50, thread: 3));
            writer.Put(Total(1, 3, 6, 60, thread: null));
            writer.Add(new HistogramRow(new ProcessId(1), new StackId(2), 4, 5, 50), HistogramKind.Size);
            writer.Add(new HistogramRow(new ProcessId(1), new StackId(2), 9, 2, 20), HistogramKind.Lifetime);
            writer.Commit();
            writer.Close(1, complete: true);
        }

        const string Sql =
            "SELECT stack_total.stack_id, parent_id, allocated_bytes, thread_id, kind, bucket FROM stack_total "
            + "JOIN stack ON stack.id = stack_id LEFT JOIN Histogram USING (process_id, stack_id) ORDER BY 1, 5";
        using var query = TraceQuery.Open(TracePath, Sql);
        var rows = new List<string>();
        while (query.Next())
        {
            rows.Add(string.Join(' ', Enumerable.Range(0, 6).Select(i => query.Value(i) ?? "none")));
        }

        Assert.Equal(["2 1 50 3 lifetime 9", "2 1 50 3 size 4", "3 2 60 none none none"], rows);
    }

    [Theory]
    [InlineData("UPDATE packed SET rows = rows + 1 WHERE content = 'stack'", "(stack) is cut short")]
    [InlineData("UPDATE packed SET rows = rows - 1 WHERE content = 'stack'", "(stack) holds too many rows")]
    [InlineData("UPDATE packed SET rows = 32769 WHERE content = 'stack'", "packed.rows is out of range")]
    [InlineData("UPDATE packed SET rows = 'all'", "packed.rows is no number")]
    [InlineData("UPDATE packed SET data = zeroblob(1000) WHERE content = 'cohort'", "damaged")]
    [InlineData("UPDATE packed SET data = 7 WHERE content = 'cohort'", "packed.data is no bytes")]
    [InlineData("UPDATE packed SET data = (SELECT data FROM packed WHERE content = 'stack') WHERE content = 'cohort'", "(cohort) ")]
    [InlineData("UPDATE packed SET bucket_ns = 20000000", "wider buckets than the trace")]
    [InlineData("UPDATE packed SET content = 'cohort' WHERE content = 'stack_total'", "damaged")]
    [InlineData("UPDATE packed SET run = 0", "packed.run is out of range")]
    [InlineData("INSERT INTO packed SELECT id + 100, content, run + 100, rows, bucket_ns, data FROM packed WHERE content = 'stack'", "stack.id is out of range")]
    public void A_damaged_piece_is_named_and_refused(string sql, string because)
    {
        MakeSmall();
        TraceBuilder.Alter(TracePath, sql);
        var error = Assert.Throws<TraceException>(() => Everything.Read(TracePath));
        Assert.Contains(because, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Flipped_bytes_of_pieces_are_survived()
    {
        MakeSmall();
        var whole = File.ReadAllBytes(TracePath);
        var refused = 0;
        Gen.Select(Gen.Int[0, 400], Gen.Byte, Gen.Int[1, 6]).Array[1, 4].Sample(
            flips =>
            {
                File.WriteAllBytes(TracePath, whole);
                foreach (var (offset, value, piece) in flips)
                {
                    FlipPiece(piece, offset, value);
                }

                try
                {
                    Everything.Read(TracePath);
                }
                catch (TraceException)
                {
                    refused++;
                }
            },
            iter: 150,
            threads: 1);
        Assert.True(refused > 50, "most of these flips must have hit something");
    }

    private void FlipPiece(int piece, int offset, byte value)
    {
        using var connection = new SqliteConnection($"Data Source={TracePath};Pooling=False");
        connection.Open();
        TraceBuilder.Execute(connection, "PRAGMA synchronous = OFF");
        using var command = connection.CreateCommand();
        command.CommandText =
            "UPDATE packed SET data = substr(data, 1, $at) || $byte || substr(data, $at + 2) WHERE id = "
            + "(SELECT id FROM packed ORDER BY id LIMIT 1 OFFSET $piece - 1) AND length(data) > $at";
        command.Parameters.AddWithValue("$at", offset % 120);
        command.Parameters.AddWithValue("$byte", new[] { value });
        command.Parameters.AddWithValue("$piece", piece);
        command.ExecuteNonQuery();
    }

    private void MakeSmall()
    {
        using var writer = Begin();
        writer.Begin();
        for (var stack = 1; stack <= Stacks; stack++)
        {
            writer.Put(Total(1, stack, 10, 100, thread: 1));
            writer.Add(new CohortRow(new ProcessId(1), new StackId(stack), 1, 2, 10, 100));
            writer.Add(new HistogramRow(new ProcessId(1), new StackId(stack), 4, 10, 100), HistogramKind.Size);
            writer.Add(new ThreadShareRow(1, new StackId(stack), 1, 10, 0, 0));
        }

        writer.Commit();
        writer.Close(1, complete: true);
    }

    // Two processes and a chain of stacks.
    private TraceWriter Begin()
    {
        var writer = TraceWriter.Create(TracePath, overwrite: true);
        writer.Begin();
        writer.SetMeta("bucket_ns", 10_000_000);
        for (var id = 1; id <= 2; id++)
        {
            writer.Put(new ProcessInfo { Id = new ProcessId(id), Pid = id, Totals = new Totals() });
        }

        writer.AddLocation(new LocationId(1), null, 0x1000, FrameKind.Native);
        for (var id = 1; id <= Stacks; id++)
        {
            writer.AddStack(new StackId(id), new StackId(id - 1), new LocationId(1));
        }

        writer.Commit();
        return writer;
    }

    private long Number(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={TracePath};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The test's own words.
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }

    private static StackTotalRow Total(int process, int stack, long blocks, long bytes, int? thread) => new(
        new ProcessId(process), new StackId(stack), blocks, bytes, 0, 0, 0, 0, blocks, bytes, blocks, bytes, thread);

    /// <summary>What the tables must come to.</summary>
    private sealed class Model
    {
        private readonly SortedDictionary<(int Process, int Stack), StackTotalRow> _totals = [];
        private readonly SortedDictionary<(int, int), (long Blocks, long Bytes)> _shares = [];
        private readonly SortedDictionary<(int, int, int), (long Blocks, long Bytes)> _sizes = [];
        private SortedDictionary<(int Process, int Stack, int Birth, int Death), (long Blocks, long Bytes)> _cohorts = [];

        public void Apply(TraceWriter writer, int what, int process, int stack, int birth, int death, long count)
        {
            var blocks = Math.Max(count, 0);
            switch (what)
            {
                case 0:
                    writer.ForgetPeak(new ProcessId(process));
                    foreach (var (key, total) in _totals.Where(item => item.Key.Process == process).ToList())
                    {
                        _totals[key] = total with { PeakBlocks = 0, PeakBytes = 0 };
                    }

                    break;
                case 1 or 2:
                    _totals[(process, stack)] = Total(process, stack, blocks, 2 * blocks, what == 1 ? stack : null);
                    writer.Put(_totals[(process, stack)]);
                    break;
                case 3:
                    AddTo(_shares, (process, stack), blocks + 1);
                    writer.Add(new ThreadShareRow(process, new StackId(stack), blocks + 1, 2 * (blocks + 1), 0, 0));
                    break;
                case 4:
                    AddTo(_sizes, (process, stack, birth), blocks + 1);
                    writer.Add(
                        new HistogramRow(new ProcessId(process), new StackId(stack), birth, blocks + 1, 2 * (blocks + 1)),
                        HistogramKind.Size);
                    break;
                default:
                    death = death < birth ? -1 : death;
                    var key4 = (process, stack, birth, death);
                    var was = _cohorts.GetValueOrDefault(key4).Blocks;
                    var change = count < 0 ? -was : count; // what was there goes, as a block's does that dies
                    AddTo(_cohorts, key4, change);
                    writer.Add(new CohortRow(
                        new ProcessId(process), new StackId(stack), birth, death, change, 2 * change));
                    break;
            }
        }

        public void Widen()
        {
            var wider = new SortedDictionary<(int, int, int, int), (long, long)>();
            foreach (var ((process, stack, birth, death), (blocks, _)) in _cohorts)
            {
                AddTo(wider, (process, stack, birth / 2, death < 0 ? -1 : death / 2), blocks);
            }

            _cohorts = wider;
        }

        public void Check(string path)
        {
            using var trace = TraceReader.Open(path);
            Assert.Equal(Stacks, trace.Stacks.Count);
            Assert.Equal(_totals.Values, trace.StackTotals());
            Assert.Equal(
                _shares.Select(item => (item.Key, item.Value)),
                trace.ThreadShares().Select(row => ((row.Thread, row.Stack.Value), (row.Allocations, row.AllocatedBytes))));
            Assert.Equal(
                _sizes.Select(item => (item.Key, item.Value)),
                trace.Histogram(HistogramKind.Size).Select(
                    row => ((row.Process.Value, row.Stack.Value, row.Bucket), (row.Blocks, row.Bytes))));
            Assert.Equal(
                _cohorts.Where(item => item.Value.Blocks != 0).Select(item => (item.Key, item.Value)),
                trace.Cohorts().Select(
                    row => ((row.Process.Value, row.Stack.Value, row.Birth, row.Death), (row.Blocks, row.Bytes))));
        }

        private static void AddTo<T>(SortedDictionary<T, (long, long)> sums, T key, long blocks)
            where T : notnull
        {
            var (had, _) = sums.GetValueOrDefault(key);
            sums[key] = (had + blocks, 2 * (had + blocks));
        }
    }
}
