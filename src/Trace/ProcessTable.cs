using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>Reads the rows of <c>process</c>.</summary>
internal static class ProcessTable
{
    private const string Columns =
        "id, pid, image, parent_id, parent_pid, origin, command, executable, start_ns, end_ns, ending, exit_code, "
        + "signal, complete, note, missed_calls, allocations, frees, allocated_bytes, freed_bytes, live_blocks, "
        + "live_bytes, peak_bytes, peak_blocks, peak_time_ns, peak_low_bytes, peak_high_bytes, temporary_allocations, "
        + "inherited_frees, foreign_frees";

    /// <param name="database">The trace.</param>
    /// <param name="lastNs">The end of processes that have none: the trace's last known moment.</param>
    /// <param name="version">The trace's.</param>
    public static List<ProcessInfo> Read(TraceDatabase database, long lastNs, long version)
    {
        var columns = Columns + (version < SchemaCheck.EarlierFreesSince ? ", 0" : ", earlier_frees");
        var processes = new List<ProcessInfo>();
        using var statement = new Statement(database, "process", columns);
        while (statement.Next())
        {
            var id = processes.Count + 1;
            statement.Int(0, id, id);
            processes.Add(ReadProcess(statement, new ProcessId(id), lastNs));
        }

        return processes;
    }

    private static ProcessInfo ReadProcess(Statement row, ProcessId id, long lastNs)
    {
        var start = row.Long(8, 0, Limits.TimeNs);
        var end = row.LongOrNull(9, start, Limits.TimeNs);
        var parent = row.IntOrNull(3, 1, id.Value - 1);
        return new ProcessInfo
        {
            Id = id,
            Pid = row.Int(1, 0, int.MaxValue),
            Image = row.Int(2, 0, int.MaxValue),
            ParentId = parent is null ? null : new ProcessId(parent.Value),
            ParentPid = row.IntOrNull(4, 0, int.MaxValue),
            Origin = Word<ProcessOrigin>(row, 5),
            Command = row.TextOrNull(6),
            Executable = row.TextOrNull(7),
            StartNs = start,
            EndNs = end,
            Ending = row.IsNull(10) ? null : Word<ProcessEnding>(row, 10),
            ExitCode = row.IntOrNull(11, int.MinValue, int.MaxValue),
            Signal = row.IntOrNull(12, 0, 128),
            Complete = row.Int(13, 0, 1) == 1,
            Note = row.TextOrNull(14),
            Totals = ReadTotals(row, Math.Max(0, (end ?? lastNs) - start)),
        };
    }

    private static Totals ReadTotals(Statement row, long durationNs) => new()
    {
        MissedCalls = row.Count(15),
        Allocations = row.Count(16),
        Frees = row.Count(17),
        AllocatedBytes = row.Count(18),
        FreedBytes = row.Count(19),
        LiveBlocks = row.Count(20),
        LiveBytes = row.Count(21),
        Peak = new Peak
        {
            Bytes = row.Count(22),
            Blocks = row.Count(23),
            TimeNs = row.Long(24, 0, Limits.TimeNs),
            LowBytes = row.Count(25),
            HighBytes = row.Count(26),
        },
        TemporaryAllocations = row.Count(27),
        InheritedFrees = row.Count(28),
        ForeignFrees = row.Count(29),
        EarlierFrees = row.Count(30),
        DurationNs = durationNs,
    };

    private static T Word<T>(Statement row, int column)
        where T : struct, Enum
    {
        var text = row.Text(column);
        return text.All(char.IsAsciiLetterLower) && Enum.TryParse<T>(text, ignoreCase: true, out var value)
            ? value
            : throw row.Damaged(column, "no known word");
    }
}
