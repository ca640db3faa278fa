using System.Globalization;

namespace NativeHeap.Present;

/// <summary>Figures as people say them, the same in every culture.</summary>
public static class Words
{
    private static readonly string[] s_units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary><c>300 B</c>, <c>5.2 KiB</c>, <c>1.0 GiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        var value = Math.Abs((double)bytes);
        if (value < 1024)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{bytes} B");
        }

        var unit = -1;
        do
        {
            value /= 1024;
            unit++;
        }
        while (value >= 1023.95 && unit < s_units.Length - 1); // 1,023.95 would be printed as 1024.0

        return string.Create(CultureInfo.InvariantCulture, $"{(bytes < 0 ? "-" : "")}{value:0.0} {s_units[unit]}");
    }

    /// <summary><c>1,234,567</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary><c>1 block</c>, <c>12 blocks</c>.</summary>
    public static string Count(long count, string noun, string? plural = null) =>
        Count(count) + " " + (count == 1 ? noun : plural ?? noun + "s");

    /// <summary><c>12.5 %</c>, <c>&lt; 0.1 %</c>; of nothing, nothing.</summary>
    public static string Share(long part, long whole)
    {
        if (whole == 0)
        {
            return "";
        }

        var share = 100.0 * part / whole;
        return part != 0 && Math.Abs(share) < 0.05
            ? "< 0.1 %"
            : string.Create(CultureInfo.InvariantCulture, $"{share:0.0} %");
    }

    /// <summary><c>80 µs</c>, <c>300 ms</c>, <c>12.50 s</c>, <c>2 min 5.0 s</c>, <c>3 h 4 min</c>.</summary>
    public static string Duration(long nanoseconds)
    {
        var seconds = nanoseconds / 1e9;
        FormattableString text = nanoseconds switch
        {
            0 => $"0 s",
            < 1_000_000 => $"{nanoseconds / 1e3:0.#} µs",
            < 1_000_000_000 => $"{nanoseconds / 1e6:0.#} ms",
            < 60_000_000_000 => $"{seconds:0.00} s",
            < 3600_000_000_000 => $"{Math.Floor(seconds / 60)} min {seconds % 60:0.0} s",
            _ => $"{Math.Floor(seconds / 3600)} h {Math.Floor(seconds / 60) % 60} min",
        };
        return text.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A name from a trace, with what could move the cursor or change colours made visible.</summary>
    public static string Printable(string text) =>
        text.All(IsPrintable) ? text : string.Concat(text.Select(c => IsPrintable(c) ? c : '\uFFFD'));

    private static bool IsPrintable(char c) =>
        !char.IsControl(c) && CharUnicodeInfo.GetUnicodeCategory(c) is not (
            UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
