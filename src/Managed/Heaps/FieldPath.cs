using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>What a person calls a place within an object: <c>_entries</c>, <c>[3].value</c>, <c>StateMachine.block</c>.</summary>
public static partial class FieldPath
{
    private const int WordBytes = 8;
    private const int MostNesting = 16;

    /// <summary>Names a place.</summary>
    /// <param name="type">The object's type.</param>
    /// <param name="offset">Bytes from the object's address.</param>
    public static string Of(HeapType type, long offset)
    {
        ArgumentNullException.ThrowIfNull(type);
        if (type.Type is not { } described)
        {
            return Plain(offset);
        }

        if (described.IsArray && type.ComponentSize > 0)
        {
            var first = type.BaseSize - WordBytes; // a base size counts the word before the object, too
            var index = (offset - first) / type.ComponentSize;
            var within = (offset - first) % type.ComponentSize;
            var name = string.Create(CultureInfo.InvariantCulture, $"[{index}]");
            return offset < first
                ? Plain(offset)
                : type.ElementType is { IsValueType: true, IsPrimitive: false } element && Nested(element, within, 0) is { } field
                    ? $"{name}.{field}"
                    : name;
        }

        return Nested(described, offset - WordBytes, 0) ?? Plain(offset);
    }

    private static string Plain(long offset) => string.Create(CultureInfo.InvariantCulture, $"+0x{offset:x}");

    // Offsets of fields count from behind the method table.
    private static string? Nested(ClrType type, long offset, int depth)
    {
        var field = type.Fields
            .Where(field => field.Offset <= offset && offset < field.Offset + Math.Max(field.Size, 1))
            .MaxBy(field => field.Offset);
        if (field?.Name is not { } name || depth == MostNesting)
        {
            return null;
        }

        var plain = Spoken(name);
        return field.IsValueType && field.Type is { IsPrimitive: false } inner
            && Nested(inner, offset - field.Offset, depth + 1) is { } rest
            ? $"{plain}.{rest}"
            : plain;
    }

    // Compilers wrap the names of properties and of variables that outlive a call: <Name>k__BackingField, <name>5__2.
    private static string Spoken(string name) => Wrapped().Match(name) is { Success: true } match ? match.Groups[1].Value : name;

    [GeneratedRegex(@"^<(\w+)>(k__BackingField|5__\d+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Wrapped();
}
