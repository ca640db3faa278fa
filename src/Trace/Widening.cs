using System.Globalization;

namespace NativeHeap.Trace;

/// <summary>The statements that make buckets of time twice as wide.</summary>
internal static class Widening
{
    /// <summary>Bucket numbers are halved and rows that become one are added up. Of two timeline rows the later one's
    /// state stands, with the larger peak of both.</summary>
    /// <param name="bucketNs">The new width.</param>
    public static string Sql(long bucketNs) =>
        $"""
        CREATE TEMP TABLE wider AS
            SELECT process_id, stack_id, birth / 2 AS birth,
                CASE WHEN death < 0 THEN death ELSE death / 2 END AS death, sum(blocks) AS blocks, sum(bytes) AS bytes
            FROM cohort GROUP BY 1, 2, 3, 4;
        DELETE FROM cohort;
        INSERT INTO cohort SELECT * FROM wider ORDER BY 1, 2, 3, 4;
        DROP TABLE wider;
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
