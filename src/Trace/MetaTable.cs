using System.Text.Json;
using NativeHeap.Model;

namespace NativeHeap.Trace;

/// <summary>Reads <c>meta</c>: keys and values of any type.</summary>
internal sealed class MetaTable
{
    private readonly TraceDatabase _database;
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    private MetaTable(TraceDatabase database)
    {
        _database = database;
    }

    public static TraceInfo Read(TraceDatabase database)
    {
        var table = new MetaTable(database);
        table.Load();
        return table.Describe();
    }

    private void Load()
    {
        using var statement = new Statement(_database, "meta", "key, value, typeof(value)");
        while (statement.Next())
        {
            object? value = statement.Text(2) switch
            {
                "integer" => statement.Long(1, long.MinValue, long.MaxValue),
                "text" => statement.Text(1),
                _ => null,
            };
            if (!_values.TryAdd(statement.Text(0), value ?? DBNull.Value))
            {
                throw statement.Damaged(0, "there twice");
            }
        }
    }

    private TraceInfo Describe() => new()
    {
        ToolVersion = Text("tool_version"),
        Command = Command(),
        Host = Text("host"),
        Kernel = Text("kernel"),
        Machine = Text("machine"),
        StartUnixNs = Number("start_unix_ns", 0, long.MaxValue),
        EndNs = Number("end_ns", 0, Limits.TimeNs),
        Exact = Number("exact", 0, 1) == 1,
        SampleBytes = Number("sample_bytes", 0, long.MaxValue),
        BucketNs = Number("bucket_ns", 1, Limits.TimeNs),
        Complete = Number("complete", 0, 1) == 1,
        RecordsMappings = Number("mappings", 0, 1) == 1,
        LostEvents = Number("lost_events", 0, long.MaxValue) ?? 0,
        Peak = ReadPeak(),
    };

    private Peak? ReadPeak() => Number("peak_bytes", 0, long.MaxValue) is not { } bytes
        ? null
        : new Peak
        {
            Bytes = bytes,
            Blocks = Number("peak_blocks", 0, long.MaxValue) ?? 0,
            TimeNs = Number("peak_time_ns", 0, Limits.TimeNs) ?? 0,
            LowBytes = Number("peak_low_bytes", 0, long.MaxValue) ?? bytes,
            HighBytes = Number("peak_high_bytes", 0, long.MaxValue) ?? bytes,
        };

    private string[] Command()
    {
        if (Text("command") is not { } json)
        {
            return [];
        }

        try
        {
            return JsonSerializer.Deserialize<string[]>(json) ?? [];
        }
        catch (JsonException)
        {
            throw _database.Damaged("meta.command is no JSON array of texts");
        }
    }

    private string? Text(string key) => Value(key) switch
    {
        null => null,
        string text => text,
        _ => throw _database.Damaged($"meta.{key} is no text"),
    };

    private long? Number(string key, long min, long max) => Value(key) switch
    {
        null => null,
        long value when value >= min && value <= max => value,
        _ => throw _database.Damaged($"meta.{key} is no number that could be"),
    };

    private object? Value(string key) =>
        _values.TryGetValue(key, out var value) && value != DBNull.Value ? value : null;
}
