using NativeHeap.Fixtures;
using NativeHeap.Testing;

namespace NativeHeap.Trace.Tests;

/// <summary>Traces that open and whose rows say what no recording says.</summary>
public sealed class UntrustedContentTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("UPDATE stack SET parent_id = id WHERE id = 2", "stack.parent_id is out of range")]
    [InlineData("UPDATE stack SET parent_id = 5 WHERE id = 2", "stack.parent_id is out of range")]
    [InlineData("UPDATE stack SET parent_id = -1 WHERE id = 2", "stack.parent_id is out of range")]
    [InlineData("UPDATE stack SET location_id = 99 WHERE id = 2", "stack.location_id is out of range")]
    [InlineData("UPDATE stack SET id = 1000000000000 WHERE id = 2", "stack.id is out of range")]
    [InlineData("DELETE FROM stack WHERE id = 2", "stack.id is out of range")]
    [InlineData("UPDATE location SET module_id = 3", "location.module_id is out of range")]
    [InlineData("UPDATE location SET kind = 'magic'", "location.kind is no kind of frame")]
    [InlineData("UPDATE location SET offset = 77 WHERE kind = 'entry'", "location.offset is no known marker")]
    [InlineData("UPDATE location SET offset = 'far'", "location.offset is no number")]
    [InlineData("UPDATE frame SET function_id = 99", "frame.function_id is out of range")]
    [InlineData("UPDATE frame SET location_id = 99 WHERE line = 90", "frame.location_id is out of range")]
    [InlineData("UPDATE frame SET position = 2 WHERE line = 40", "frame.position is out of range")]
    [InlineData("UPDATE frame SET line = -1", "frame.line is out of range")]
    [InlineData("UPDATE string SET text = x'00ff'", "string.text is no text")]
    [InlineData("UPDATE string SET text = printf('%.*c', 1100000, 'x')", "string.text is too long")]
    [InlineData("UPDATE string SET text = printf('%.*c', 9000000, 'x')", "string or blob too big")]
    [InlineData("UPDATE stack_total SET process_id = 9 WHERE process_id = 2", "stack_total.process_id is out of range")]
    [InlineData("UPDATE stack_total SET stack_id = 99 WHERE process_id = 2", "stack_total.stack_id is out of range")]
    [InlineData("UPDATE stack_total SET frees = allocations + 1", "stack_total.frees is out of range")]
    [InlineData("UPDATE stack_total SET freed_bytes = -1", "stack_total.freed_bytes is out of range")]
    [InlineData("UPDATE stack_total SET allocated_bytes = 9223372036854775807", "stack_total.allocated_bytes is out of range")]
    [InlineData("UPDATE stack_total SET temporary = 1.5", "stack_total.temporary is no number")]
    [InlineData("UPDATE cohort SET death = birth - 1 WHERE birth > 0", "cohort.death is before birth")]
    [InlineData("UPDATE cohort SET birth = -1 WHERE birth = 20", "cohort.birth is out of range")]
    [InlineData("UPDATE cohort SET birth = 4000000000 WHERE birth = 20", "cohort.birth is out of range")]
    [InlineData("UPDATE cohort SET bytes = -5", "cohort.bytes is out of range")]
    [InlineData("UPDATE process SET pid = -1", "process.pid is out of range")]
    [InlineData("UPDATE process SET parent_id = 2", "process.parent_id is out of range")]
    [InlineData("UPDATE process SET end_ns = start_ns - 1", "process.end_ns is out of range")]
    [InlineData("UPDATE process SET origin = 'Run'", "process.origin is no known word")]
    [InlineData("UPDATE process SET origin = '1'", "process.origin is no known word")]
    [InlineData("UPDATE process SET signal = 100000", "process.signal is out of range")]
    [InlineData("UPDATE meta SET value = 'soon' WHERE key = 'end_ns'", "meta.end_ns is no number")]
    [InlineData("UPDATE meta SET value = 0 WHERE key = 'bucket_ns'", "meta.bucket_ns is no number")]
    [InlineData("UPDATE meta SET value = '{' WHERE key = 'command'", "meta.command is no JSON array")]
    [InlineData("UPDATE meta SET value = 7 WHERE key = 'host'", "meta.host is no text")]
    [InlineData("UPDATE ledger SET bytes = 'all' WHERE part = 'rss'", "ledger.bytes is no number")]
    public void A_value_that_cannot_be_is_named_and_refused(string sql, string because)
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        TraceBuilder.Alter(path, sql);

        var error = Assert.Throws<TraceException>(() => Everything.Read(path));

        Assert.Contains(because, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stack_of_the_greatest_depth_is_read_and_a_deeper_one_refused()
    {
        Everything.Read(Chain(Limits.StackDepth));
        var error = Assert.Throws<TraceException>(() => Everything.Read(Chain(Limits.StackDepth + 1)));
        Assert.Contains("too deep", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pages_in_a_circle_end_the_reading()
    {
        var path = SampleTrace.Build().Write(_folder["a.nheap"]);
        TraceBuilder.Alter(
            path,
            "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
            + "INSERT INTO timeline SELECT 1, i, 0, 0, 0, 0, 0, NULL FROM n");
        var bytes = File.ReadAllBytes(path);
        var pages = InteriorPages(bytes);
        Assert.NotEmpty(pages);
        foreach (var page in pages)
        {
            PointAllChildrenTo(bytes, page, pages[0]);
        }

        File.WriteAllBytes(path, bytes);
        Assert.Throws<TraceException>(() => Everything.Read(path));
    }

    private static List<int> InteriorPages(byte[] bytes) =>
        [.. Enumerable.Range(1, (bytes.Length / 4096) - 1).Where(p => bytes[p * 4096] is 2 && CellCount(bytes, p) > 1)];

    private static int CellCount(byte[] bytes, int page) => (bytes[(page * 4096) + 3] << 8) | bytes[(page * 4096) + 4];

    /// <summary>An interior page of an index: each cell begins with its left child's number (from 1), big-endian.</summary>
    private static void PointAllChildrenTo(byte[] bytes, int page, int target)
    {
        var start = page * 4096;
        for (var cell = 0; cell < CellCount(bytes, page); cell++)
        {
            var pointer = start + 12 + (cell * 2);
            var at = start + ((bytes[pointer] << 8) | bytes[pointer + 1]);
            bytes[at] = bytes[at + 1] = 0;
            bytes[at + 2] = (byte)((target + 1) >> 8);
            bytes[at + 3] = (byte)(target + 1);
        }
    }

    private string Chain(int depth)
    {
        var trace = new TraceBuilder();
        trace.Process(1);
        var place = trace.Code(null, 0x1000);
        trace.Stack([.. Enumerable.Repeat(place, depth)]);
        return trace.Write(_folder[$"{depth}.nheap"]);
    }
}
