using System.Globalization;
using NativeHeap.Collect.Checks;

namespace NativeHeap.Collect.Sessions;

/// <summary>Signals that may mean a snapshot: those that mean nothing to the kernel, nor end a program in an orderly way.</summary>
public static class SnapshotSignal
{
    private const int FirstRealTime = 34; // SIGRTMIN of glibc
    private const int LastRealTime = 64;

    // Of x86_64 (signal(7)).
    private static readonly Dictionary<string, int> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["HUP"] = 1,
        ["USR1"] = 10,
        ["USR2"] = 12,
        ["URG"] = 23,
        ["WINCH"] = 28,
        ["IO"] = 29,
        ["PWR"] = 30,
    };

    /// <summary>For a message.</summary>
    public static string Choice => string.Join(", ", Names.Keys) + ", RTMIN+N, RTMAX-N";

    /// <summary>The number of <c>USR2</c>, <c>SIGUSR2</c>, <c>12</c>, <c>RTMIN+5</c>.</summary>
    public static bool TryParse(string text, out int signal)
    {
        ArgumentNullException.ThrowIfNull(text);
        var name = text.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? text[3..] : text;
        if (Names.TryGetValue(name, out signal))
        {
            return true;
        }
        signal = TryNumber(name, "RTMIN+", out var above) ? FirstRealTime + above
            : TryNumber(name, "RTMAX-", out var below) ? LastRealTime - below
            : TryNumber(name, "", out var number) ? number
            : 0;
        var isRealTime = signal is >= FirstRealTime and <= LastRealTime && signal != ThreadParking.Signal;
        return isRealTime || Names.ContainsValue(signal);
    }

    private static bool TryNumber(string text, string prefix, out int number)
    {
        number = 0;
        return text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
            && int.TryParse(text.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && number <= LastRealTime;
    }
}
