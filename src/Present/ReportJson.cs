using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>
/// A report as JSON, schema <c>nativeheap.report/1</c>: bytes, blocks and nanoseconds are integers, addresses
/// <c>"0x…"</c> strings, what is missing is null. Written as it is made: a hundred thousand stacks are no large object.
/// </summary>
public static class ReportJson
{
    private const int FlushBytes = 1 << 16;

    /// <summary>Writes one document and a newline.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="report">What.</param>
    /// <param name="group">What <paramref name="names"/> are.</param>
    /// <param name="names">Costs by name, to be written too; null: none.</param>
    /// <param name="threads">Costs by thread, to be written too; null: none.</param>
    public static void Write(
        Stream output,
        Report report,
        CostGroup group = CostGroup.Stack,
        IReadOnlyList<NamedCost>? names = null,
        IReadOnlyList<ThreadCost>? threads = null)
    {
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.report/1");
            WriteTrace(json, report);
            WriteProcesses(json, report.Processes);
            json.WritePropertyName("totals");
            WriteTotals(json, report.Totals);
            WriteMapped(json, report.Mapped);
            WriteLedger(json, report);
            json.WriteString("by", report.Answer.By.Name());
            WriteSelection(json, report);
            WriteNames(json, group, names);
            WriteThreads(json, threads);
            WriteStacks(json, report.Tree(), names is null && threads is null ? report.Answer.Costs : []);
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static void WriteTrace(Utf8JsonWriter json, Report report)
    {
        json.WriteStartObject("trace");
        json.WriteBoolean("exact", report.Info.Exact);
        json.WriteBoolean("complete", report.Info.Complete);
        json.WriteNumber("lost_events", report.Info.LostEvents);
        json.WriteBoolean("closed", report.Info.Closed);
        WriteNumber(json, "sample_bytes", report.Info.Exact ? null : report.Info.SampleBytes);
        json.WriteStartArray("sampling");
        foreach (var row in report.Sampling)
        {
            json.WriteStartObject();
            json.WriteNumber("pid", report.Processes[row.Process.Value - 1].Pid);
            json.WriteNumber("time_ns", row.TimeNs);
            json.WriteNumber("sample_bytes", row.SampleBytes);
            json.WriteString("reason", row.Reason);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("path", report.Path);
        json.WriteString("tool_version", report.Info.ToolVersion);
        json.WriteString("host", report.Info.Host);
        WriteNumber(json, "start_unix_ns", report.Info.StartUnixNs);
        json.WriteEndObject();
    }

    private static void WriteProcesses(Utf8JsonWriter json, IReadOnlyList<ProcessInfo> processes)
    {
        json.WriteStartArray("processes");
        // An image that was replaced by exec has no exit code; its process has.
        foreach (var (process, last) in processes.Zip(ProcessImages.Last(processes)))
        {
            WriteProcess(json, process, last);
            FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    /// <summary>A process as an object.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="process">The image.</param>
    /// <param name="last">The last image of its process, which has its exit code.</param>
    internal static void WriteProcess(Utf8JsonWriter json, ProcessInfo process, ProcessInfo last)
    {
        json.WriteStartObject();
        json.WriteNumber("pid", process.Pid);
        WriteNumber(json, "parent_pid", process.ParentPid);
        json.WriteString("command", process.Command);
        WriteNumber(json, "exit_code", last.ExitCode);
        WriteNumber(json, "signal", last.Signal);
        json.WriteNumber("image", process.Image);
        json.WriteString("origin", Word(process.Origin));
        json.WriteString("ending", process.Ending is { } ending ? Word(ending) : null);
        json.WriteString("executable", process.Executable);
        json.WriteNumber("start_ns", process.StartNs);
        WriteNumber(json, "end_ns", process.EndNs);
        json.WriteBoolean("complete", process.Complete);
        json.WriteString("note", process.Note);
        json.WritePropertyName("totals");
        WriteTotals(json, process.Totals);
        json.WriteEndObject();
    }

    /// <summary>Totals as an object.</summary>
    internal static void WriteTotals(Utf8JsonWriter json, Totals totals)
    {
        json.WriteStartObject();
        json.WriteNumber("allocations", totals.Allocations);
        json.WriteNumber("frees", totals.Frees);
        json.WriteNumber("allocated_bytes", totals.AllocatedBytes);
        json.WriteNumber("freed_bytes", totals.FreedBytes);
        json.WriteNumber("live_blocks", totals.LiveBlocks);
        json.WriteNumber("live_bytes", totals.LiveBytes);
        json.WriteNumber("peak_bytes", totals.Peak.Bytes);
        json.WriteNumber("peak_blocks", totals.Peak.Blocks);
        json.WriteNumber("peak_time_ns", totals.Peak.TimeNs);
        json.WriteNumber("peak_low_bytes", totals.Peak.LowBytes);
        json.WriteNumber("peak_high_bytes", totals.Peak.HighBytes);
        json.WriteNumber("temporary_allocations", totals.TemporaryAllocations);
        json.WriteNumber("inherited_frees", totals.InheritedFrees);
        json.WriteNumber("earlier_frees", totals.EarlierFrees);
        json.WriteNumber("foreign_frees", totals.ForeignFrees);
        json.WriteNumber("missed_calls", totals.MissedCalls);
        json.WriteNumber("duration_ns", totals.DurationNs);
        json.WriteEndObject();
    }

    private static void WriteMapped(Utf8JsonWriter json, MappedTotals? mapped)
    {
        if (mapped is null)
        {
            json.WriteNull("mapped");
            return;
        }

        json.WriteStartObject("mapped");
        json.WriteNumber("mappings", mapped.Mappings);
        json.WriteNumber("mapped_bytes", mapped.MappedBytes);
        json.WriteNumber("unmappings", mapped.Unmappings);
        json.WriteNumber("unmapped_bytes", mapped.UnmappedBytes);
        json.WriteNumber("live_mappings", mapped.LiveMappings);
        json.WriteNumber("live_bytes", mapped.LiveBytes);
        json.WriteNumber("live_reserved_bytes", mapped.ReservedBytes);
        WriteNumber(json, "peak_bytes", mapped.Peak?.Bytes);
        WriteNumber(json, "peak_mappings", mapped.Peak?.Mappings);
        WriteNumber(json, "peak_time_ns", mapped.Peak?.TimeNs);
        json.WriteNumber("processes", mapped.Processes);
        json.WriteEndObject();
    }

    private static void WriteLedger(Utf8JsonWriter json, Report report)
    {
        var ledger = report.Ledger;
        json.WriteStartObject("ledger");
        WriteNumber(json, "time_ns", ledger?.TimeNs);
        WriteNumber(json, "rss_bytes", ledger?.RssBytes);
        if (ledger is null)
        {
            json.WriteNull("parts");
        }
        else
        {
            json.WriteStartArray("parts");
            foreach (var part in ledger.Parts)
            {
                json.WriteStartObject();
                json.WriteString("name", part.Name);
                json.WriteNumber("bytes", part.Bytes);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        WriteNumber(json, "unexplained_bytes", ledger?.UnexplainedBytes);
        WriteNumber(json, "kept_by_malloc_at_least_bytes", report.KeptByMalloc);
        WriteNumber(json, "untouched_bytes", report.Untouched);
        json.WriteStartObject("gc");
        WriteNumber(json, "used_bytes", report.Collections?.UsedBytes);
        WriteNumber(json, "committed_bytes", report.Collections?.CommittedBytes);
        WriteNumber(json, "pauses", report.Collections?.Pauses);
        WriteNumber(json, "pause_ns", report.Collections?.PauseNs);
        WriteNumber(json, "longest_pause_ns", report.Collections?.LongestPauseNs);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteSelection(Utf8JsonWriter json, Report report)
    {
        var answer = report.Answer;
        json.WriteStartObject("selection");
        WriteNumber(json, "pid", report.Pid);
        json.WriteBoolean("mmap", answer.OfMappings);
        WriteNumber(json, "snapshot", answer.Snapshot?.Number);
        json.WriteString("snapshot_name", answer.Snapshot?.Name);
        WriteNumber(json, "at_ns", answer.AtNs);
        WriteNumber(json, "from_ns", answer.FromNs);
        WriteNumber(json, "to_ns", answer.ToNs);
        WriteNumber(json, "bucket_ns", answer.BucketNs);
        WriteNumber(json, "thread", answer.Tid);
        json.WriteString("module", answer.Module);
        WriteNumber(json, "min_size", answer.Sizes?.Low);
        WriteNumber(json, "max_size", answer.Sizes?.High);
        WriteNumber(json, "min_lifetime_us", answer.LifetimesUs?.Low);
        WriteNumber(json, "max_lifetime_us", answer.LifetimesUs?.High);
        json.WriteNumber("bytes", answer.Bytes);
        json.WriteNumber("blocks", answer.Blocks);
        json.WriteNumber("stack_count", answer.StackCount);
        json.WriteEndObject();
    }

    private static void WriteNames(Utf8JsonWriter json, CostGroup group, IReadOnlyList<NamedCost>? names)
    {
        if (names is null)
        {
            return;
        }

        json.WriteStartArray(group == CostGroup.Module ? "modules" : "functions");
        foreach (var name in names)
        {
            json.WriteStartObject();
            json.WriteString("name", name.Name);
            json.WriteNumber("bytes", name.Bytes);
            json.WriteNumber("blocks", name.Blocks);
            json.WriteNumber("self_bytes", name.SelfBytes);
            json.WriteNumber("self_blocks", name.SelfBlocks);
            json.WriteEndObject();
            FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private static void WriteThreads(Utf8JsonWriter json, IReadOnlyList<ThreadCost>? threads)
    {
        if (threads is null)
        {
            return;
        }

        json.WriteStartArray("threads");
        foreach (var cost in threads)
        {
            json.WriteStartObject();
            json.WriteNumber("tid", cost.Thread.Tid);
            json.WriteNumber("pid", cost.Process.Pid);
            json.WriteString("name", cost.Thread.Name);
            json.WriteNumber("allocated_bytes", cost.AllocatedBytes);
            json.WriteNumber("allocations", cost.Allocations);
            json.WriteNumber("live_bytes", cost.LiveBytes);
            json.WriteNumber("live_blocks", cost.LiveBlocks);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteStacks(Utf8JsonWriter json, StackTree tree, IReadOnlyList<NodeCost> costs)
    {
        var text = new StackTreeJson(tree);
        json.WriteStartArray("stacks");
        foreach (var (node, bytes, blocks) in costs)
        {
            json.WriteStartObject();
            json.WriteNumber("bytes", bytes);
            json.WriteNumber("blocks", blocks);
            text.Write(json, node);
            json.WriteEndObject();
            FlushWhenLarge(json);
        }

        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    /// <summary>Lets what was written so far go.</summary>
    internal static void FlushWhenLarge(Utf8JsonWriter json)
    {
        if (json.BytesPending > FlushBytes)
        {
            json.Flush();
        }
    }

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
