using System.Text.Json;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>What <c>report --json</c> says, as far as the tests ask.</summary>
internal sealed record Report(
    bool Exact, bool Complete, long LostEvents, IReadOnlyList<ReportedProcess> Processes, Account Totals, IReadOnlyList<ReportedStack> Stacks)
{
    /// <summary>The process that was started.</summary>
    public ReportedProcess First => Processes[0];

    public static Report Parse(JsonElement root)
    {
        Assert.Equal("nativeheap.report/1", root.GetProperty("schema").GetString());
        var trace = root.GetProperty("trace");
        return new Report(
            trace.GetProperty("exact").GetBoolean(),
            trace.GetProperty("complete").GetBoolean(),
            trace.GetProperty("lost_events").GetInt64(),
            [.. root.GetProperty("processes").EnumerateArray().Select(ReportedProcess.Parse)],
            Account.ParseTotals(root.GetProperty("totals")),
            [.. root.GetProperty("stacks").EnumerateArray().Select(ReportedStack.Parse)]);
    }
}

/// <summary>A process of a report.</summary>
internal sealed record ReportedProcess(int Pid, int? ParentPid, string? Command, int? ExitCode, int? Signal, string? Note, Account Totals)
{
    public static ReportedProcess Parse(JsonElement process) => new(
        process.GetProperty("pid").GetInt32(),
        Number(process.GetProperty("parent_pid")),
        process.GetProperty("command").GetString(),
        Number(process.GetProperty("exit_code")),
        Number(process.GetProperty("signal")),
        process.GetProperty("note").GetString(),
        Account.ParseTotals(process.GetProperty("totals")));

    private static int? Number(JsonElement element) =>
        element.ValueKind == JsonValueKind.Null ? null : element.GetInt32();
}

/// <summary>A stack of a report.</summary>
internal sealed record ReportedStack(long Bytes, long Blocks, string? Entry, IReadOnlyList<ReportedFrame> Frames)
{
    public static ReportedStack Parse(JsonElement stack) => new(
        stack.GetProperty("bytes").GetInt64(),
        stack.GetProperty("blocks").GetInt64(),
        stack.GetProperty("entry").GetString(),
        [.. stack.GetProperty("frames").EnumerateArray().Select(ReportedFrame.Parse)]);

    /// <summary>True when a frame's function begins with the word.</summary>
    public bool Goes(string through) =>
        Frames.Any(frame => frame.Function?.StartsWith(through, StringComparison.Ordinal) == true);

    public override string ToString() =>
        $"{Bytes} bytes in {Blocks} blocks by {Entry} in {string.Join(" < ", Frames.Select(f => f.Function ?? f.Module ?? "?"))}";
}

/// <summary>A frame of a stack.</summary>
internal sealed record ReportedFrame(string? Function, string? Module, string? File, int? Line)
{
    public static ReportedFrame Parse(JsonElement frame) => new(
        frame.GetProperty("function").GetString(),
        frame.GetProperty("module").GetString(),
        frame.GetProperty("file").GetString(),
        frame.GetProperty("line") is { ValueKind: JsonValueKind.Number } line ? line.GetInt32() : null);
}
