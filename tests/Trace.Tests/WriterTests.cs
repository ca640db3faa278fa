using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Trace.Tests;

public sealed partial class WriterTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string TracePath => _folder["t.nheap"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_closed_trace_is_one_file_that_says_it_is_whole()
    {
        using (var writer = TraceWriter.Create(TracePath))
        {
            WriteProcess(writer, 7);
            writer.Close(99, complete: true);
        }

        Assert.Equal([TracePath], Directory.GetFiles(_folder.Path));
        using var trace = TraceReader.Open(TracePath);
        Assert.Equal((99L, true, true), (trace.Info.EndNs, trace.Info.Closed, trace.Info.Complete));
        Assert.Equal(7, trace.Processes.Single().Totals.Allocations);
        Assert.Equal((7, 7), trace.StackTotals().Select(row => (row.Allocations, row.PeakBytes)).Single());
    }

    [Fact]
    public void What_was_not_committed_is_no_part_of_the_trace()
    {
        using (var writer = TraceWriter.Create(TracePath))
        {
            WriteProcess(writer, 7);
            writer.Begin();
            writer.Put(Process(8));
        }

        using var trace = TraceReader.Open(TracePath);
        Assert.False(trace.Info.Closed);
        Assert.False(trace.Info.Complete);
        Assert.Equal(7, trace.Processes.Single().Totals.Allocations);
    }

    [Fact]
    public void A_trace_is_readable_while_it_is_written_and_a_reader_does_not_hold_the_writer_up()
    {
        using var writer = TraceWriter.Create(TracePath);
        WriteProcess(writer, 1);
        using var early = TraceReader.Open(TracePath);
        WriteProcess(writer, 2);
        using var late = TraceReader.Open(TracePath);
        Assert.Equal((1, 2), (early.Processes[0].Totals.Allocations, late.Processes[0].Totals.Allocations));
        writer.Close(5, complete: true);
        Assert.Equal(1, early.StackTotals().Single().Allocations);
        using var closed = TraceReader.Open(TracePath);
        Assert.True(closed.Info.Closed);
    }

    [Fact]
    public void What_another_program_adds_to_a_snapshot_does_not_disturb_the_writer()
    {
        TypeCount[] types =
        [
            new("Shop.Order", ObjectKind.Managed, "method table", 3, 96), new("deep::Box<int>", ObjectKind.Cpp, "vtable symbol", 1, 16),
        ];
        using (var writer = TraceWriter.Create(TracePath))
        {
            WriteProcess(writer, 1);
            writer.Begin();
            writer.AddSnapshot(new Snapshot(1, "before", "asked", 5));
            writer.Commit();
            TraceAddition.AddTypes(TracePath, 1, new ProcessId(1), types);
            WriteProcess(writer, 2);
            writer.Close(9, complete: true);
        }

        using var trace = TraceReader.Open(TracePath);
        Assert.Equal(2, trace.Processes.Single().Totals.Allocations);
        var read = trace.SnapshotTypes(trace.Snapshots().Single()).ToList();
        Assert.Equal(types.OrderBy(type => type.Type), read.Select(row => row.Type).OrderBy(type => type.Type));
        Assert.All(read, row => Assert.Equal(new ProcessId(1), row.Process));
    }

    [Fact]
    public void A_file_that_is_there_is_refused_and_left_as_it_is()
    {
        _folder.Write("t.nheap", "precious");
        var error = Assert.Throws<TraceWriteException>(() => TraceWriter.Create(TracePath));
        Assert.Equal(ExitCodes.Usage, error.ExitCode);
        Assert.Equal($"{TracePath}: exists already; --force replaces it", error.Message);
        Assert.Equal("precious", File.ReadAllText(TracePath));
    }

    [Fact]
    public void Force_replaces_a_file_and_what_was_left_beside_it()
    {
        _folder.Write("t.nheap", "old");
        _folder.Write("t.nheap-wal", "a journal of the old file");
        using (var writer = TraceWriter.Create(TracePath, overwrite: true))
        {
            WriteProcess(writer, 3);
            writer.Close(1, complete: true);
        }

        using var trace = TraceReader.Open(TracePath);
        Assert.Equal(3, trace.Processes[0].Totals.Allocations);
    }

    [Fact]
    public async Task Who_reads_it_while_it_is_closed_leaves_no_journal_beside_it()
    {
        using var writer = TraceWriter.Create(TracePath);
        WriteProcess(writer, 3);
        Task closing;
        using (var reader = OpenForReading())
        {
            using var reading = reader.BeginTransaction(deferred: true);
            Assert.Equal(0, EndsSeen(reader)); // what it sees from here on stays in the journal
            closing = Task.Run(() => writer.Close(1, complete: true), TestContext.Current.CancellationToken);
            using var other = OpenForReading();
            while (EndsSeen(other) == 0 && !closing.IsCompleted)
            {
                await Task.Yield();
            }
        }

        await closing;
        Assert.Equal([TracePath], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("missing/t.nheap", "its folder does not exist")]
    [InlineData(".", "is a directory")]
    public void A_place_that_cannot_be_written_is_refused_in_one_line(string name, string reason)
    {
        var path = _folder[name];
        var error = Assert.Throws<TraceWriteException>(() => TraceWriter.Create(path));
        Assert.Equal((ExitCodes.Usage, $"{path}: {reason}"), (error.ExitCode, error.Message));
    }

    [Fact]
    public void Names_are_stored_once_and_read_back_innermost_first()
    {
        using (var writer = TraceWriter.Create(TracePath))
        {
            WriteProcess(writer, 1);
            writer.Begin();
            writer.WriteFrames(new LocationId(1), [
                new ResolvedFrame("inner(int)", "a.cpp", 3, true), new ResolvedFrame("outer()", "a.cpp", 10, false)]);
            writer.WriteFrames(new LocationId(2), [new ResolvedFrame("outer()", null, null, false)]);
            writer.Commit();
            writer.Close(1, complete: true);
        }

        using var trace = TraceReader.Open(TracePath);
        Assert.Equal(
            [new ResolvedFrame("inner(int)", "a.cpp", 3, true), new ResolvedFrame("outer()", "a.cpp", 10, false)],
            trace.Locations.Names(new LocationId(1)));
        Assert.Equal([new ResolvedFrame("outer()", null, null, false)], trace.Locations.Names(new LocationId(2)));
    }

    [Fact]
    public void Counts_are_added_to_and_rows_that_come_to_nothing_go()
    {
        using (var writer = TraceWriter.Create(TracePath))
        {
            WriteProcess(writer, 1);
            writer.Begin();
            writer.Add(Cohort(0, CohortRow.NeverFreed, 2, 20));
            writer.Add(Cohort(0, CohortRow.NeverFreed, -2, -20));
            writer.Add(Cohort(0, 4, 2, 20));
            writer.Add(Cohort(0, 4, 1, 5));
            writer.Commit();
            writer.Close(1, complete: true);
        }

        using var trace = TraceReader.Open(TracePath);
        Assert.Equal([Cohort(0, 4, 3, 25)], trace.Cohorts());
    }

    [Fact]
    public void Wider_buckets_merge_rows_and_keep_states_peaks_and_sizes()
    {
        using (var writer = TraceWriter.Create(TracePath))
        {
            WriteProcess(writer, 1);
            writer.Begin();
            writer.Add(Cohort(2, 4, 1, 10));
            writer.Add(Cohort(3, 5, 2, 20));
            writer.Add(Cohort(3, CohortRow.NeverFreed, 4, 40));
            writer.Put(Point(20, live: 5, peak: 90, allocations: 10, rss: 1000));
            writer.Put(Point(30, live: 7, peak: 50, allocations: 12, rss: null));
            writer.Put(Point(50, live: 8, peak: 60, allocations: 13, rss: 2000));
            writer.WidenBuckets(20_000_000);
            writer.Commit();
            writer.Close(1, complete: true);
        }

        using var trace = TraceReader.Open(TracePath);
        Assert.Equal(20_000_000, trace.Info.BucketNs);
        Assert.Equal([Cohort(1, -1, 4, 40), Cohort(1, 2, 3, 30)], trace.Cohorts());
        Assert.Equal(
            [Point(20, live: 7, peak: 90, allocations: 12, rss: 1000), Point(40, live: 8, peak: 60, allocations: 13, rss: 2000)],
            trace.Timeline());
    }

    [Fact]
    public void A_full_disk_is_said_in_words_and_the_trace_is_whole_up_to_the_last_commit()
    {
        var disk = Directory.CreateDirectory(_folder["disk"]).FullName;
        Assert.SkipUnless(Mount("none", disk, "tmpfs", 0, "size=1m") == 0, "mounting takes a privilege that is not there");
        try
        {
            var path = Path.Combine(disk, "t.nheap");
            long committed = 0;
            using (var writer = TraceWriter.Create(path))
            {
                var error = Assert.Throws<TraceWriteException>(() =>
                {
                    for (var n = 1; n < 100; n++)
                    {
                        WriteProcess(writer, n, rows: 2000);
                        committed = n;
                    }
                });
                Assert.Equal($"{path}: no room left on the disk", error.Message);
            }

            using var trace = TraceReader.Open(path);
            Assert.True(committed > 0);
            Assert.Equal(committed, trace.Processes[0].Totals.Allocations);
            Assert.Equal(committed * 2000, trace.Cohorts().Count());
            Assert.False(trace.Info.Closed);
        }
        finally
        {
            Assert.Equal(0, Unmount(disk, 0));
        }
    }

    internal static void WriteProcess(TraceWriter writer, long n, int rows = 0)
    {
        writer.Begin();
        writer.Put(Process(n));
        writer.AddModule(1, new Binary("/bin/program", "ab"));
        writer.AddLocation(new LocationId(1), 1, 0x1000, FrameKind.Native);
        writer.AddLocation(new LocationId(2), null, (ulong)EntryPoint.Malloc, FrameKind.Entry);
        writer.AddStack(new StackId(1), StackId.Root, new LocationId(1));
        writer.AddStack(new StackId(2), new StackId(1), new LocationId(2));
        writer.Put(new StackTotalRow(new ProcessId(1), new StackId(2), n, n, 0, 0, 0, 0, n, n, n, n));
        for (var i = 0; i < rows; i++)
        {
            writer.Add(Cohort(i, i + (int)n, 1, n));
        }

        writer.Commit();
    }

    private static ProcessInfo Process(long allocations) => new()
    {
        Id = new ProcessId(1),
        Pid = 100,
        Totals = new Totals { Allocations = allocations, AllocatedBytes = allocations },
    };

    private static CohortRow Cohort(int birth, int death, long blocks, long bytes) =>
        new(new ProcessId(1), new StackId(2), birth, death, blocks, bytes);

    private static TimelineRow Point(long ms, long live, long peak, long allocations, long? rss) =>
        new(new ProcessId(1), ms * 1_000_000, live, live, peak, allocations, allocations, rss);

    [LibraryImport("libc", EntryPoint = "mount", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string type, nuint flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount(string target, int flags);

    private SqliteConnection OpenForReading()
    {
        var connection = new SqliteConnection($"Data Source={TracePath};Mode=ReadOnly;Pooling=False");
        connection.Open();
        return connection;
    }

    private static long EndsSeen(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM meta WHERE key = 'end_ns'";
        return (long)command.ExecuteScalar()!;
    }
}
