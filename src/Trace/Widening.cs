using System.Globalization;

namespace NativeHeap.Trace;

/// <summary>The statements that make buckets of time twice as wide.</summary>
internal static class Widening
{
    /// <summary>Of two timeline rows that become one the later one's state stands, with the larger peak of both. Cohorts
    /// are packed, and each piece knows how wide its buckets are.</summary>
    /// <param name="bucketNs">The new width.</param>
    public static string Sql(long bucketNs) =>
        $"""
        CREATE TEMP TABLE wider AS
            SELECT process_id, start, live_blocks, live_bytes, peak, allocations, allocated_bytes, rss FROM (
                SELECT process_id, time_ns / {Number(bucketNs)} * {Number(bucketNs)} AS start,
                    live_blocks, live_bytes, allocations, allocated_bytes,
                    max(live_peak_bytes) OVER bucket AS peak,
                    coalesce(rss_bytes, lag(rss_bytes) OVER in_time) AS rss,
                    row_number() OVER (
                        PARTITION BY process_id, time_ns / {Number(bucketNs)} ORDER BY time_ns DESC) AS place
                FROM timeline
                WINDOW bucket AS (PARTITION BY process_id, time_ns / {Number(bucketNs)}),
                    in_time AS (PARTITION BY process_id, time_ns / {Number(bucketNs)} ORDER BY time_ns))
            WHERE place = 1;
        DELETE FROM timeline;
        INSERT INTO timeline SELECT * FROM wider ORDER BY 1, 2;
        DROP TABLE wider;
        """;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
