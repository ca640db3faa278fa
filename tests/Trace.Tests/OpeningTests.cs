using NativeHeap.Fixtures;
using NativeHeap.Testing;

namespace NativeHeap.Trace.Tests;

/// <summary>States in which a trace may be found, all of which must open, and nothing of which may change.</summary>
public sealed class OpeningTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_trace_opens_while_it_is_written_and_keeps_the_moment_it_was_opened_at()
    {
        var path = _folder["a.nheap"];
        using var writer = SampleTrace.Build().WriteOpen(path);
        using var reader = TraceReader.Open(path);
        TraceBuilder.Execute(writer, "DELETE FROM cohort");

        Assert.Equal(5, reader.Cohorts().Count());
        using var later = TraceReader.Open(path);
        Assert.Empty(later.Cohorts());
    }

    [Fact]
    public void A_trace_of_the_version_before_is_read_without_what_it_had_not()
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        TraceBuilder.Alter(path, "ALTER TABLE stack_total DROP COLUMN thread_id");
        var damaged = Assert.Throws<TraceException>(() => TraceReader.Open(path)); // it says that it has it
        Assert.Contains("column stack_total.thread_id is missing", damaged.Message, StringComparison.Ordinal);
        TraceBuilder.Alter(path, "DROP TABLE thread_total; PRAGMA user_version = 1");

        using var reader = TraceReader.Open(path);
        Assert.False(reader.HasThreadShares);
        Assert.All(reader.StackTotals(), row => Assert.Null(row.Thread));
        Assert.Empty(reader.ThreadShares());
        Assert.Equal(5, reader.Cohorts().Count());
    }

    [Fact]
    public void A_trace_of_before_mappings_has_none_and_one_of_today_has_those_that_were_written()
    {
        var path = SampleTrace.Build().Meta("mappings", 1)
            .Row(
                "mapped_total", ("process_id", 1), ("stack_id", 1), ("mappings", 3), ("mapped_bytes", 30), ("unmappings", 1),
                ("unmapped_bytes", 20), ("peak_mappings", 2), ("peak_bytes", 25))
            .Row("mapped_peak", ("process_id", 1), ("mappings", 2), ("bytes", 25), ("time_ns", 7))
            .Row("snapshot_mapped", ("snapshot_id", 1), ("process_id", 1), ("stack_id", 1), ("mappings", 2), ("bytes", 9))
            .Write(_folder["a.nheap"]);
        var (process, stack) = (new Model.ProcessId(1), new Model.StackId(1));
        using (var reader = TraceReader.Open(path))
        {
            Assert.True(reader.Info.RecordsMappings);
            Assert.Equal(new MappedTotalRow(process, stack, 3, 30, 1, 20, 2, 25), Assert.Single(reader.MappedTotals()));
            Assert.Equal(new MappedPeakRow(process, 2, 25, 7), Assert.Single(reader.MappedPeaks()));
            Assert.Equal(new SnapshotRow(process, stack, 2, 9), Assert.Single(reader.SnapshotMapped(new Snapshot(1, null, "asked", 0))));
        }

        TraceBuilder.Alter(path, "UPDATE mapped_total SET unmapped_bytes = 31");
        using (var reader = TraceReader.Open(path))
        {
            Assert.Throws<TraceException>(() => reader.MappedTotals().Count());
        }

        TraceBuilder.Alter(path, "DROP TABLE mapped_total");
        Assert.Contains("mapped_total is missing", Assert.Throws<TraceException>(() => TraceReader.Open(path)).Message, StringComparison.Ordinal);
        TraceBuilder.Alter(path, "DROP TABLE mapped_peak; DROP TABLE snapshot_mapped; PRAGMA user_version = 4");
        using var older = TraceReader.Open(path);
        Assert.Empty(older.MappedTotals());
        Assert.Empty(older.MappedPeaks());
        Assert.Empty(older.SnapshotMapped(new Snapshot(1, null, "asked", 0)));
    }

    [Fact]
    public void What_a_killed_collector_left_in_the_log_is_read_and_neither_file_changes()
    {
        var path = KilledInTheMiddle();
        var database = File.ReadAllBytes(path);
        var log = File.ReadAllBytes(path + "-wal");
        File.WriteAllBytes(_folder["alone.nheap"], database);
        var alone = Assert.Throws<TraceException>(() => TraceReader.Open(_folder["alone.nheap"])); // the rows are in the log
        Assert.Contains("holds no process", alone.Message, StringComparison.Ordinal);

        using (var reader = TraceReader.Open(path))
        {
            Assert.Equal(5, reader.Cohorts().Count());
        }

        Assert.Equal(database, File.ReadAllBytes(path));
        Assert.Equal(log, File.ReadAllBytes(path + "-wal"));
    }

    [Fact]
    public void A_log_beside_which_nothing_can_be_written_is_read_from_a_copy()
    {
        var path = KilledInTheMiddle();
        Directory.CreateDirectory(path + "-shm"); // SQLite needs a file of this name to read a log
        var log = File.ReadAllBytes(path + "-wal");
        var copies = CopiesLeft();

        using (var reader = TraceReader.Open(path))
        {
            Assert.Equal(5, reader.Cohorts().Count());
            Assert.Equal(path, reader.Path);
        }

        Assert.Equal(log, File.ReadAllBytes(path + "-wal"));
        Assert.Equal(copies, CopiesLeft());
    }

    [Fact]
    public void A_copy_without_its_log_opens_in_a_folder_where_nothing_can_be_written()
    {
        var path = _folder["a b%20?#.nheap"];
        SampleTrace.Build().WriteOpen(path).Dispose(); // stays in WAL mode
        Directory.CreateDirectory(path + "-shm");
        Directory.CreateDirectory(path + "-wal");

        using var reader = TraceReader.Open(path);

        Assert.Equal(5, reader.Cohorts().Count());
    }

    [Fact]
    public void Reading_a_closed_trace_leaves_nothing_beside_it()
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        using (var reader = TraceReader.Open(path))
        {
            Assert.Equal(5, reader.Cohorts().Count());
        }

        Assert.Equal([path], Directory.GetFileSystemEntries(_folder.Path));
    }

    /// <summary>The files as they are on disk while a writer is at work: what a SIGKILL leaves.</summary>
    private string KilledInTheMiddle()
    {
        var alive = _folder["alive.nheap"];
        var path = _folder["killed.nheap"];
        using var writer = SampleTrace.Build().WriteOpen(alive);
        File.Copy(alive, path);
        File.Copy(alive + "-wal", path + "-wal");
        return path;
    }

    private static int CopiesLeft() => Directory.GetDirectories(Path.GetTempPath(), "nativeheap-copy-*").Length;
}
