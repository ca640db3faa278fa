using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>Brings the rows of a commit into the order of their keys: packed rows must rise, or each that does not begins a
/// piece of its own. Of rows with one key it makes one, and none where they come to nothing.</summary>
internal static class RowOrder
{
    /// <summary>By process, stack, birth and death.</summary>
    /// <param name="rows">What is under <see cref="CohortRow.NeverFreed"/> are all births: the others of the same are taken
    /// off.</param>
    /// <param name="to">Gets the rows; must be empty.</param>
    public static void AddUp(List<CohortRow> rows, List<CohortRow> to)
    {
        rows.Sort();
        for (var i = 0; i < rows.Count;)
        {
            var alive = rows[i] with { Death = CohortRow.NeverFreed, Blocks = 0, Bytes = 0 };
            to.Add(alive);
            var first = to.Count;
            for (; i < rows.Count && IsBirthOf(rows[i], alive); i++)
            {
                if (rows[i].Death == CohortRow.NeverFreed)
                {
                    alive = Plus(alive, rows[i].Blocks, rows[i].Bytes);
                    continue;
                }

                alive = Plus(alive, -rows[i].Blocks, -rows[i].Bytes);
                if (to.Count > first && to[^1].Death == rows[i].Death)
                {
                    to[^1] = Plus(to[^1], rows[i].Blocks, rows[i].Bytes);
                }
                else
                {
                    to.Add(rows[i]);
                }
            }

            to[first - 1] = alive;
        }

        to.RemoveAll(static row => (row.Blocks | row.Bytes) == 0);
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
