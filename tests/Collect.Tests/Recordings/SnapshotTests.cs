using Microsoft.Data.Sqlite;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed class SnapshotTests
{
    [Fact]
    public void A_snapshot_keeps_what_was_alive_block_by_block_when_asked_for()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var a = target.AddStack(0x401000);
        var b = target.AddStack(0x402000);
        var thread = target.Thread(0, 100);
        recorder.At(5);
        thread.Alloc(0x1000, 10, a);
        thread.Alloc(0x2000, 20, a);
        thread.Alloc(0x3000, 30, b);
        thread.Free(0x3000);
        recorder.At(20);
        var first = recorder.Recording.TakeSnapshot("before", "asked");
        thread.Free(0x1000);
        thread.Alloc(0x4000, 40, b);
        recorder.At(50);
        var second = recorder.Recording.TakeSnapshot(null, "interval");
        Assert.Null(recorder.Recording.TakeSnapshot("before", "asked"));

        using var trace = recorder.Read(process);
        Assert.Equal([first!, second!], trace.Snapshots());
        Assert.Equal((1, "before", 20_000_000L), (first!.Number, first.Name, first.TimeNs));
        Assert.Equal([(2L, 30L)], trace.SnapshotTotals(first).Select(row => (row.Blocks, row.Bytes)));
        Assert.Equal([(1L, 20L), (1, 40)], trace.SnapshotTotals(second!).Select(row => (row.Blocks, row.Bytes)));
        Assert.Equal(
            ["1 1 4096 10 2 1 5000000", "1 1 8192 20 2 1 5000000"],
            Rows(recorder.Path, "SELECT * FROM block ORDER BY address"));
    }

    [Fact]
    public void A_snapshot_can_be_read_while_the_recording_goes_on()
    {
        using var recorder = new Recorder();
        var target = new Target();
        recorder.Attach(target);
        target.Thread(0, 100).Alloc(0x1000, 10, target.AddStack(0x401000));
        recorder.Recording.TakeSnapshot("now", "asked");
        recorder.Recording.Flush();

        using var trace = TraceReader.Open(recorder.Path);
        var snapshot = Assert.Single(trace.Snapshots());
        Assert.Equal(10, trace.SnapshotTotals(snapshot).Single().Bytes);
    }

    private static List<string> Rows(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            var values = new object[reader.FieldCount];
            reader.GetValues(values);
            rows.Add(string.Join(' ', values));
        }

        return rows;
    }
}
