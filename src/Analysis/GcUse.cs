using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>What .NET's garbage collector had and did, over a whole recording.</summary>
/// <param name="UsedBytes">Bytes of objects after the last collection; null: there was none.</param>
/// <param name="CommittedBytes">What it had committed at the last look, resident or not; null: nobody looked.</param>
/// <param name="Pauses">How often all threads were held.</param>
/// <param name="PauseNs">For how long in all.</param>
/// <param name="LongestPauseNs">The longest.</param>
public sealed record GcUse(long? UsedBytes, long? CommittedBytes, int Pauses, long PauseNs, long LongestPauseNs)
{
    internal static GcUse? Of(IReadOnlyList<LedgerGauge> gauges, IReadOnlyList<GcPause> pauses)
    {
        var (used, committed) = (Last(gauges, LedgerGauges.GcUsed), Last(gauges, LedgerGauges.GcCommitted));
        return used is null && committed is null && pauses.Count == 0 ? null : new GcUse(
            used,
            committed,
            pauses.Count,
            pauses.Aggregate(0L, (sum, pause) => checked(sum + pause.DurationNs)),
            pauses.Count == 0 ? 0 : pauses.Max(pause => pause.DurationNs));
    }

    private static long? Last(IReadOnlyList<LedgerGauge> gauges, string name) =>
        gauges.Where(gauge => gauge.Name == name).Select(gauge => (long?)gauge.Bytes).LastOrDefault();
}
