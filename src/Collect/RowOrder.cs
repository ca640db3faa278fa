using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>Brings the rows of a commit into the order of their keys: packed rows must rise, or each that does not begins a
/// piece of its own. Of rows with one key it makes one, and none where they come to nothing.</summary>
internal static class RowOrder
{
    /// <summary>By process, stack, birth and death.</summary>
    /// <param name="rows">What is under <see cref="CohortRow.NeverFreed"/> are all births: the others of the same are taken
    /// off.</param>
    /// <param name="to">Gets one row after the other.</param>
    /// <returns>How many.</returns>
    public static int AddUp(List<CohortRow> rows, Action<CohortRow> to)
    {
        rows.Sort();
        var count = 0;
        for (var i = 0; i < rows.Count;)
        {
            var alive = rows[i] with { Death = CohortRow.NeverFreed, Blocks = 0, Bytes = 0 };
            var end = i;
            for (; end < rows.Count && IsBirthOf(rows[end], alive); end++)
            {
                var sign = rows[end].Death == CohortRow.NeverFreed ? 1 : -1;
                alive = Plus(alive, sign * rows[end].Blocks, sign * rows[end].Bytes);
            }

            Give(alive);
            while (i < end)
            {
                var sum = rows[i++];
                for (; i < end && rows[i].Death == sum.Death; i++)
                {
                    sum = Plus(sum, rows[i].Blocks, rows[i].Bytes);
                }

                if (sum.Death != CohortRow.NeverFreed)
                {
                    Give(sum);
                }
            }
        }

        return count;

        void Give(CohortRow row)
        {
            if ((row.Blocks | row.Bytes) != 0)
            {
                to(row);
                count++;
            }
        }
    }

    /// <summary>By process, stack and bucket.</summary>
    public static void AddUp(List<HistogramRow> rows) => AddUp(
        rows,
        static (a, b) => a with { Blocks = a.Blocks + b.Blocks, Bytes = a.Bytes + b.Bytes },
        static row => (row.Blocks | row.Bytes) == 0);

    /// <summary>By thread and stack.</summary>
    public static void AddUp(List<ThreadShareRow> rows) => AddUp(
        rows,
        static (a, b) => a with
        {
            Allocations = a.Allocations + b.Allocations,
            AllocatedBytes = a.AllocatedBytes + b.AllocatedBytes,
            Frees = a.Frees + b.Frees,
            FreedBytes = a.FreedBytes + b.FreedBytes,
        },
        static row => (row.Allocations | row.AllocatedBytes | row.Frees | row.FreedBytes) == 0);

    private static void AddUp<T>(List<T> rows, Func<T, T, T> sum, Predicate<T> isNothing)
        where T : IComparable<T>
    {
        rows.Sort();
        var sums = 0;
        for (var i = 0; i < rows.Count; i++)
        {
            if (sums > 0 && rows[sums - 1].CompareTo(rows[i]) == 0)
            {
                rows[sums - 1] = sum(rows[sums - 1], rows[i]);
            }
            else
            {
                rows[sums++] = rows[i];
            }
        }

        rows.RemoveRange(sums, rows.Count - sums);
        rows.RemoveAll(isNothing);
    }

    private static bool IsBirthOf(in CohortRow a, in CohortRow b) =>
        a.Stack == b.Stack && a.Birth == b.Birth && a.Process == b.Process;

    private static CohortRow Plus(in CohortRow row, long blocks, long bytes) =>
        row with { Blocks = row.Blocks + blocks, Bytes = row.Bytes + bytes };
}
