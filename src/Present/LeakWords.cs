using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Graph;

namespace NativeHeap.Present;

/// <summary>The words of a heap-check.</summary>
public static class LeakWords
{
    /// <summary>A kind's name on the command line and in JSON.</summary>
    public static string Of(LeakKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>The kind of a name; null when it is none.</summary>
    public static LeakKind? Parse(string word) => Enum.GetValues<LeakKind>()
        .Select(kind => (LeakKind?)kind).FirstOrDefault(kind => Of(kind!.Value) == word);

    /// <summary>The last line of a report, over all processes.</summary>
    public static string LastLine(IReadOnlyList<LeakCheck> checks)
    {
        ArgumentNullException.ThrowIfNull(checks);
        LeakSum Sum(LeakKind kind) => checks.Aggregate(default(LeakSum), (sum, check) => sum + check.Summary[kind]);
        var (definite, indirect, possible, reachable) =
            (Sum(LeakKind.Definite), Sum(LeakKind.Indirect), Sum(LeakKind.Possible), Sum(LeakKind.Reachable));
        var lost = definite + indirect;
        return lost.Blocks > 0
            ? string.Create(CultureInfo.InvariantCulture, $"leaked {lost.Bytes} bytes in {lost.Blocks} blocks (definite {definite.Bytes}, indirect {indirect.Bytes}, possible {possible.Bytes}), reachable {reachable.Bytes}")
            : string.Create(CultureInfo.InvariantCulture, $"no leaks (reachable {reachable.Bytes} bytes in {reachable.Blocks} blocks)");
    }
}
