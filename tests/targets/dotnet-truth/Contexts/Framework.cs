using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Truth.Contexts;

/// <summary>Framework code, ReadyToRun as it is delivered, between two frames of the program.</summary>
internal static class Framework
{
    private static readonly JsonSerializerOptions s_json = new() { Converters = { new Converter() } };

    public static void Run(int round)
    {
        List<Item> items = [new(3), new(1), new(2)];
        items.Sort();
        items.Sort((a, b) =>
        {
            Probe.Here("List.Sort by a lambda");
            return b.Value - a.Value;
        });
        items.ForEach(_ => Probe.Here("List.ForEach"));
        Array.Sort(items.ToArray(), new Comparer());
        Array.ConvertAll(items.ToArray(), item =>
        {
            Probe.Here("Array.ConvertAll");
            return item.Value;
        });
        Queries(items);
        _ = new Lazy<int>(() => Value("Lazy")).Value;
        Dictionary<Key, int> map = new() { [new Key(1)] = 1 };
        _ = map.ContainsKey(new Key(2));
        _ = new ConcurrentDictionary<int, int>().GetOrAdd(round, _ => Value("ConcurrentDictionary.GetOrAdd"));
        _ = new SortedSet<int>([2, 1, 3], Comparer<int>.Create((a, b) => a - b + 0 * Value("SortedSet")));
        _ = string.Create(3, round, (_, _) => Probe.Here("string.Create"));
        _ = string.Format(CultureInfo.InvariantCulture, "{0:X}", new Formatted());
        _ = $"{new Formatted()}";
        _ = Regex.Replace("a b", "[ab]", _ => Value("Regex.Replace").ToString(CultureInfo.InvariantCulture));
        _ = JsonSerializer.Serialize(new Item(round), s_json);
        new MemoryStream([1]).CopyTo(new Destination());
    }

    private static void Queries(List<Item> items)
    {
        _ = items
            .Where(item => item.Value + 0 * Value("Where") > 0)
            .Select(item => item.Value + 0 * Value("Select"))
            .OrderBy(value => -value + 0 * Value("OrderBy"))
            .GroupBy(value => value % 2 + 0 * Value("GroupBy"))
            .SelectMany(group => group.Skip(0 * Value("SelectMany")))
            .Aggregate(0, (sum, value) => sum + value * Value("Aggregate"));
    }

    private static int Value(string kind)
    {
        Probe.Here(kind);
        return 1;
    }

    private readonly record struct Item(int Value) : IComparable<Item>
    {
        public int CompareTo(Item other)
        {
            Probe.Here("List.Sort by the items' own comparison");
            return Value - other.Value;
        }
    }

    private readonly record struct Key(int Value)
    {
        public bool Equals(Key other)
        {
            Probe.Here("Equals in a dictionary");
            return Value == other.Value;
        }

        public override int GetHashCode()
        {
            Probe.Here("GetHashCode in a dictionary");
            return 1;
        }
    }

    private readonly struct Formatted : IFormattable
    {
        public string ToString(string? format, IFormatProvider? provider)
        {
            Probe.Here("string.Format");
            return "";
        }
    }

    private sealed class Comparer : IComparer<Item>
    {
        public int Compare(Item a, Item b)
        {
            Probe.Here("Array.Sort by a comparer");
            return a.Value - b.Value;
        }
    }

    private sealed class Converter : JsonConverter<Item>
    {
        public override Item Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => default;

        public override void Write(Utf8JsonWriter writer, Item value, JsonSerializerOptions options)
        {
            Probe.Here("JSON converter");
            writer.WriteNumberValue(value.Value);
        }
    }

    private sealed class Destination : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => Probe.Here("Stream.CopyTo");
    }
}
