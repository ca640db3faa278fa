using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeHeap.Wire.Generator;

/// <summary>Reads the X-macro list; a line it does not understand is a <see cref="FormatException"/>.</summary>
internal static class DefinitionParser
{
    private static readonly Regex _entry = new(
        @"^(?<macro>NH_[A-Z_]+)\((?<arguments>[^)]*)\)\s*(//\s*(?<remark>.*))?$", RegexOptions.CultureInvariant);

    public static Definitions Parse(string text)
    {
        var result = new Definitions();
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            var line = raw.Trim();
            if (line.Length == 0 || line.StartsWith("//", StringComparison.Ordinal))
            {
                continue;
            }
            var match = _entry.Match(line);
            if (!match.Success)
            {
                throw new FormatException($"records.def:{number}: not an entry: {line}");
            }
            var arguments = match.Groups["arguments"].Value.Split(',').Select(part => part.Trim()).ToArray();
            var remark = match.Groups["remark"].Success ? match.Groups["remark"].Value : null;
            try
            {
                Add(result, match.Groups["macro"].Value, arguments, remark);
            }
            catch (Exception fault) when (fault is FormatException or IndexOutOfRangeException or OverflowException)
            {
                throw new FormatException($"records.def:{number}: {fault.Message}: {line}", fault);
            }
        }
        return result;
    }

    private static void Add(Definitions to, string macro, string[] arguments, string? remark)
    {
        switch (macro)
        {
            case "NH_CONSTANT":
                to.InOrder.Add(new Constant(arguments[0], arguments[1], arguments[2], remark));
                break;
            case "NH_ENUM_BEGIN":
                to.InOrder.Add(new Enumeration(arguments[0], arguments[1]));
                break;
            case "NH_ENUM_VALUE":
                var enumeration = Last<Enumeration>(to, item => item.Name, arguments[0]);
                enumeration.Members.Add(new Constant(enumeration.Type, arguments[1], arguments[2], remark));
                break;
            case "NH_ENUM_END":
                Last<Enumeration>(to, item => item.Name, arguments[0]);
                break;
            case "NH_RECORD_BEGIN":
                to.InOrder.Add(new Record(arguments[0]));
                break;
            case "NH_FIELD":
                Last<Record>(to, item => item.Name, arguments[0])
                    .Fields.Add(new Field(arguments[1], arguments[2], 0, remark));
                break;
            case "NH_ARRAY":
                Last<Record>(to, item => item.Name, arguments[0])
                    .Fields.Add(new Field(arguments[1], arguments[2], Number(arguments[3]), remark));
                break;
            case "NH_RECORD_END":
                Last<Record>(to, item => item.Name, arguments[0]).Size = Number(arguments[1]);
                break;
            default:
                throw new FormatException("unknown entry " + macro);
        }
    }

    private static T Last<T>(Definitions from, Func<T, string> name, string expected)
        where T : class
    {
        if (from.InOrder.LastOrDefault() is not T last || name(last) != expected)
        {
            throw new FormatException($"'{expected}' is not the one that was begun last");
        }
        return last;
    }

    private static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
