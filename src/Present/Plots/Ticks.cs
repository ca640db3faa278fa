using System.Globalization;

namespace NativeHeap.Present.Plots;

/// <summary>Round positions on an axis, with words.</summary>
/// <param name="Position">In the axis's unit: bytes or nanoseconds.</param>
/// <param name="Label">What stands beside it.</param>
internal readonly record struct Tick(double Position, string Label);

/// <summary>Axes of bytes and of time: steps that people count in, one unit on the whole axis.</summary>
internal static class Ticks
{
    private const double Second = 1e9;
    private const double Minute = 60 * Second;
    private const double Hour = 60 * Minute;

    private static readonly string[] s_byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    private static readonly double[] s_timeSteps =
    [
        .. Decades(1, 1e8), Second, 2 * Second, 5 * Second, 10 * Second, 15 * Second, 30 * Second,
        Minute, 2 * Minute, 5 * Minute, 10 * Minute, 15 * Minute, 30 * Minute,
        Hour, 2 * Hour, 3 * Hour, 6 * Hour, 12 * Hour, 24 * Hour, 48 * Hour, 168 * Hour, 720 * Hour, 8760 * Hour,
    ];

    /// <summary>From 0 up to <paramref name="high"/> bytes, about <paramref name="wanted"/> of them.</summary>
    public static IReadOnlyList<Tick> Bytes(double high, int wanted)
    {
        var step = 1.0;
        while (high / step > wanted)
        {
            step *= 2;
        }
        var unit = 0;
        while (unit < s_byteUnits.Length - 1 && high >= Math.ScaleB(1, 10 * (unit + 1)) * 2)
        {
            unit++;
        }
        return Positions(0, high, step, value => $"{Short(Math.ScaleB(value, -10 * unit))} {s_byteUnits[unit]}");
    }

    /// <summary>From 0 up to <paramref name="high"/> nanoseconds, at most <paramref name="wanted"/> of them.</summary>
    public static IReadOnlyList<Tick> Time(double high, int wanted)
    {
        var longest = s_timeSteps[^1];
        var step = s_timeSteps.FirstOrDefault(candidate => high / candidate <= wanted, longest * Math.Ceiling(high / longest / wanted));
        return Positions(0, high, step, value => TimeLabel(value, high));
    }

    /// <summary>A figure for a person: three or four digits and the unit that suits it.</summary>
    public static string Amount(long bytes)
    {
        var unit = 0;
        while (unit < s_byteUnits.Length - 1 && Math.Abs((double)bytes) >= Math.ScaleB(1, 10 * (unit + 1)))
        {
            unit++;
        }
        var value = Math.ScaleB(bytes, -10 * unit);
        var digits = unit == 0 || Math.Abs(value) >= 100 ? "0" : Math.Abs(value) >= 10 ? "0.0" : "0.00";
        return $"{value.ToString(digits, CultureInfo.InvariantCulture)} {s_byteUnits[unit]}";
    }

    /// <summary>A time for a person, in two or three digits and the unit that suits it.</summary>
    public static string Duration(double nanoseconds)
    {
        var (value, unit) = nanoseconds switch
        {
            0 => (0, "s"),
            < 1e3 => (nanoseconds, "ns"),
            < 1e6 => (nanoseconds / 1e3, "µs"),
            < Second => (nanoseconds / 1e6, "ms"),
            < Minute => (nanoseconds / Second, "s"),
            < Hour => (nanoseconds / Minute, "min"),
            < 24 * Hour => (nanoseconds / Hour, "h"),
            _ => (nanoseconds / (24 * Hour), "d"),
        };
        return $"{value.ToString(value < 9.95 ? "0.#" : "0", CultureInfo.InvariantCulture)} {unit}";
    }

    private static string TimeLabel(double value, double high) => high switch
    {
        < 2e3 => $"{Short(value)} ns",
        < 2e6 => $"{Short(value / 1e3)} µs",
        < 2 * Second => $"{Short(value / 1e6)} ms",
        < 3 * Minute => $"{Short(value / Second)} s",
        < 3 * Hour => $"{Short(value / Minute)} min",
        < 96 * Hour => $"{Short(value / Hour)} h",
        _ => $"{Short(value / (24 * Hour))} d",
    };

    private static IEnumerable<double> Decades(double from, double to)
    {
        for (var decade = from; decade <= to; decade *= 10)
        {
            yield return decade;
            yield return 2 * decade;
            yield return 5 * decade;
        }
    }

    private static List<Tick> Positions(double from, double to, double step, Func<double, string> label)
    {
        var ticks = new List<Tick>();
        for (var i = 0; from + (i * step) <= to * (1 + 1e-9); i++)
        {
            ticks.Add(new Tick(from + (i * step), label(from + (i * step))));
        }
        return ticks;
    }

    private static string Short(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
