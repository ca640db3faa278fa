using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>What a field of an object must be: a primitive field of its class or of a base class, or a reference that is null
/// or not. Numbers are compared as <see cref="double"/>, exact up to 2^53. For one thread.</summary>
public sealed partial class FieldCondition : IObjectCondition
{
    /// <summary>Names that classes of many authors give to what says that they are disposed.</summary>
    private static readonly string[] DisposedNames =
    [
        "_disposed", "_isDisposed", "m_disposed", "disposed", "isDisposed", "_disposedValue", "disposedValue", "<IsDisposed>k__BackingField",
        "<Disposed>k__BackingField", "_isClosed", "_closed", "m_isClosed",
    ];

    private readonly string[] _names;
    private readonly string _operator;
    private readonly double? _value; // null: the word null
    private readonly Dictionary<HeapType, ClrInstanceField?> _fields = [];

    private FieldCondition(string[] names, string comparison, double? value)
    {
        _names = names;
        _operator = comparison;
        _value = value;
    }

    /// <summary>An object is disposed, and says so by one of the usual names.</summary>
    public static FieldCondition Disposed => new(DisposedNames, "!=", 0);

    /// <summary>Reads <c>FIELD == VALUE</c>, also with !=, &lt;, &lt;=, &gt; and &gt;=.</summary>
    /// <returns>Null when it is nothing of the sort.</returns>
    public static FieldCondition? Parse(string expression)
    {
        ArgumentNullException.ThrowIfNull(expression);
        if (Form().Match(expression) is not { Success: true } match)
        {
            return null;
        }

        var word = match.Groups[3].Value;
        double? value = word switch
        {
            "true" => 1,
            "false" => 0,
            "null" => null,
            _ => double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : double.NaN,
        };
        var comparison = match.Groups[2].Value;
        if (value is double.NaN || (value is null && comparison is not ("==" or "!=")))
        {
            return null;
        }

        var name = match.Groups[1].Value;
        return new FieldCondition([name, $"<{name}>k__BackingField"], comparison, value);
    }

    /// <inheritdoc/>
    public bool Holds(ManagedHeap heap, uint slot)
    {
        ArgumentNullException.ThrowIfNull(heap);
        var type = heap.TypeOf(slot);
        if (!_fields.TryGetValue(type, out var field))
        {
            field = type.Type?.Fields.Where(field => _names.Contains(field.Name, StringComparer.Ordinal)).MaxBy(field => field.Offset);
            _fields.Add(type, field);
        }

        return field is not null && field.NumberIn(heap.BytesOf(slot, type)) is { } value && Compare(value);
    }

    private bool Compare(double value)
    {
        var wanted = _value ?? 0;
        return _operator switch
        {
            "==" => value == wanted,
            "!=" => value != wanted,
            "<" => value < wanted,
            "<=" => value <= wanted,
            ">" => value > wanted,
            _ => value >= wanted,
        };
    }

    [GeneratedRegex(@"^\s*([\w<>]+)\s*(==|!=|<=|>=|<|>)\s*(-?[\w.]+)\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
