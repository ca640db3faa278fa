namespace NativeHeap.Trace.Packing;

/// <summary>How rows of one key, of several runs, become one.</summary>
internal enum Combining
{
    /// <summary>A key comes once.</summary>
    None,

    /// <summary>The row that was written last stands.</summary>
    Latest,

    /// <summary>Counts are added up; what comes to no blocks is no row.</summary>
    Sum,
}

/// <summary>A column of a packed table, and what its values are stored as a difference from.</summary>
/// <param name="Name">As in the schema.</param>
/// <param name="Base">Number of a column before it in the same row, or one of the constants.</param>
internal readonly record struct PackedColumn(string Name, int Base = PackedColumn.Plain)
{
    /// <summary>Stored as it is.</summary>
    public const int Plain = -1;

    /// <summary>Stored as the difference from the row before, 0 before the first of a piece.</summary>
    public const int RowBefore = -2;
}

/// <summary>
/// A table whose rows are kept in pieces of many (docs/trace-format.md): what of a trace grows with stacks. Rows of a run
/// rise by their first two columns.
/// </summary>
internal sealed class PackedTable
{
    private PackedTable(string content, Combining combining, int keys, string columns, string? kind = null)
    {
        Content = content;
        Combining = combining;
        Keys = keys;
        Kind = kind;
        var names = columns.Split(' ');
        Columns = new PackedColumn[names.Length];
        for (var i = 0; i < names.Length; i++)
        {
            var parts = names[i].Split('-');
            Columns[i] = new PackedColumn(parts[0], parts.Length == 1 ? PackedColumn.Plain : BaseOf(parts[1], i));
        }
    }

    /// <summary>The calling-context tree.</summary>
    public static PackedTable Stack { get; } = new(
        "stack", Combining.None, keys: 1, "id-before parent_id-id location_id");

    /// <summary>What each stack cost. A row of stack 0 says that no share of the process in the trace's peak that was
    /// written before stands. Thread 0: none.</summary>
    public static PackedTable StackTotal { get; } = new(
        "stack_total",
        Combining.Latest,
        keys: 2,
        "process_id-before stack_id-before allocations allocated_bytes frees-allocations freed_bytes-allocated_bytes "
        + "temporary temporary_bytes peak_blocks peak_bytes process_peak_blocks-peak_blocks "
        + "process_peak_bytes-peak_bytes thread_id");

    /// <summary>Threads' shares.</summary>
    public static PackedTable ThreadTotal { get; } = new(
        "thread_total",
        Combining.Sum,
        keys: 2,
        "thread_id-before stack_id-before allocations allocated_bytes frees-allocations freed_bytes-allocated_bytes");

    /// <summary>Blocks by birth and death.</summary>
    public static PackedTable Cohort { get; } = new(
        "cohort", Combining.Sum, keys: 4, "process_id-before stack_id-before birth-before death-birth blocks bytes");

    /// <summary>Blocks by size.</summary>
    public static PackedTable Sizes { get; } = new(
        "size_histogram", Combining.Sum, keys: 3, "process_id-before stack_id-before bucket blocks bytes", "size");

    /// <summary>Blocks by lifetime.</summary>
    public static PackedTable Lifetimes { get; } = new(
        "lifetime_histogram", Combining.Sum, keys: 3, "process_id-before stack_id-before bucket blocks bytes", "lifetime");

    /// <summary>All of them.</summary>
    public static IReadOnlyList<PackedTable> All { get; } = [Stack, StackTotal, ThreadTotal, Cohort, Sizes, Lifetimes];

    /// <summary>What <c>packed.content</c> calls it.</summary>
    public string Content { get; }

    /// <summary>How rows of one key become one.</summary>
    public Combining Combining { get; }

    /// <summary>Columns of the key, the first ones.</summary>
    public int Keys { get; }

    /// <summary>Which rows of table <c>histogram</c> it stands for; null: another table.</summary>
    public string? Kind { get; }

    /// <summary>Its columns; all are numbers.</summary>
    public PackedColumn[] Columns { get; }

    /// <summary>The table whose rows it keeps.</summary>
    public string Name => Kind is null ? Content : "histogram";

    /// <summary>Whether columns 2 and 3 are buckets of time, which become wider.</summary>
    public bool HasTimeBuckets => this == Cohort;

    private int BaseOf(string word, int columns) => word == "before"
        ? PackedColumn.RowBefore
        : Array.FindIndex(Columns, 0, columns, column => column.Name == word);
}
