using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>Sizes and durations as they are typed.</summary>
internal static class Quantities
{
    private static readonly Dictionary<string, decimal> SizeUnits = new(StringComparer.OrdinalIgnoreCase)
    {
        [""] = 1,
        ["B"] = 1,
        ["KB"] = 1e3m,
        ["MB"] = 1e6m,
        ["GB"] = 1e9m,
        ["TB"] = 1e12m,
        ["KiB"] = 1L << 10,
        ["MiB"] = 1L << 20,
        ["GiB"] = 1L << 30,
        ["TiB"] = 1L << 40,
    };

    private static readonly Dictionary<string, decimal> DurationUnits = new(StringComparer.Ordinal)
    {
        ["ns"] = 1,
        ["us"] = 1e3m,
        ["ms"] = 1e6m,
        ["s"] = 1e9m,
        ["m"] = 60e9m,
        ["h"] = 3600e9m,
    };

    /// <summary>Bytes of <c>512KiB</c>, <c>1MB</c> or <c>4096</c>; a fraction is fine when whole bytes come out.</summary>
    public static bool TryParseSize(string text, out long bytes) => TryParse(text, SizeUnits, out bytes);

    /// <summary>Nanoseconds of <c>500ms</c>, <c>30s</c>, <c>1.5m</c>; a number alone is no duration, but for 0.</summary>
    public static bool TryParseDuration(string text, out long nanoseconds)
    {
        nanoseconds = 0;
        return text == "0" || TryParse(text, DurationUnits, out nanoseconds);
    }

    /// <summary>An option that takes a size in bytes, null when it is not given.</summary>
    public static Option<long?> SizeOption(string name, string description) =>
        Quantity(name, "BYTES", description, TryParseSize, "a size, such as 512KiB, 1MB or 4096");

    /// <summary>An option that takes a duration in nanoseconds, null when it is not given.</summary>
    public static Option<long?> DurationOption(string name, string description) =>
        Quantity(name, "DURATION", description, TryParseDuration, "a duration, such as 500ms, 30s or 5m");

    /// <summary>What an option of a size or a duration says, which must not be 0; null when it is not given.</summary>
    /// <exception cref="ToolException">It is 0; exit code 2.</exception>
    public static long? Positive(ParseResult result, Option<long?> option) => result.GetValue(option) switch
    {
        <= 0 => throw new ToolException($"{option.Name} must be more than 0", ExitCodes.Usage),
        var value => value,
    };

    /// <summary>An option that takes a whole number, null when it is not given.</summary>
    public static Option<int?> NumberOption(string name, string helpName, string description)
    {
        int? Convert(ArgumentResult argument)
        {
            var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
            if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
            {
                return value;
            }
            argument.AddError($"{name}: '{text}' is not a number");
            return null;
        }
        return new Option<int?>(name) { HelpName = helpName, Description = description, CustomParser = Convert };
    }

    /// <summary>An option that takes a percentage, with or without its sign; null when it is not given.</summary>
    public static Option<int?> PercentOption(string name, int least, int most, string description)
    {
        int? Convert(ArgumentResult argument)
        {
            var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
            var digits = text.EndsWith('%') ? text[..^1] : text;
            if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
            {
                return value;
            }
            argument.AddError(string.Create(
                CultureInfo.InvariantCulture, $"{name}: '{text}' is not a percentage from {least}% to {most}%"));
            return null;
        }
        return new Option<int?>(name) { HelpName = "PERCENT", Description = description, CustomParser = Convert };
    }

    private delegate bool Parser(string text, out long value);

    private static Option<long?> Quantity(
        string name, string helpName, string description, Parser parse, string expected)
    {
        long? Convert(ArgumentResult argument)
        {
            var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
            if (parse(text, out var value))
            {
                return value;
            }
            argument.AddError($"{name}: '{text}' is not {expected}");
            return null;
        }
        return new Option<long?>(name) { HelpName = helpName, Description = description, CustomParser = Convert };
    }

    private static bool TryParse(string text, Dictionary<string, decimal> units, out long value)
    {
        value = 0;
        var digits = text.Length;
        while (digits > 0 && !char.IsAsciiDigit(text[digits - 1]))
        {
            digits--;
        }
        if (digits is 0 or > 20 || !units.TryGetValue(text[digits..].TrimStart(), out var unit)
            || !decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }
        var product = number * unit;
        if (product > long.MaxValue || product != decimal.Truncate(product))
        {
            return false;
        }
        value = (long)product;
        return true;
    }
}
