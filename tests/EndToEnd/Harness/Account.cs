using System.Text.Json;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>
/// Totals, whoever counted: a target that keeps its own account (tests/targets/account.h), or a trace.
/// </summary>
internal sealed record Account(long Allocations, long Frees, long AllocatedBytes, long LiveBlocks, long LiveBytes)
{
    /// <summary>The most live bytes.</summary>
    public long PeakBytes { get; init; }

    /// <summary>Blocks and bytes by allocation function; of targets alone.</summary>
    public IReadOnlyDictionary<string, (long Blocks, long Bytes)> Entries { get; init; } =
        new Dictionary<string, (long, long)>();

    /// <summary>The sum without peaks, which have none.</summary>
    public static Account operator +(Account a, Account b) => new(
        a.Allocations + b.Allocations,
        a.Frees + b.Frees,
        a.AllocatedBytes + b.AllocatedBytes,
        a.LiveBlocks + b.LiveBlocks,
        a.LiveBytes + b.LiveBytes);

    /// <summary>Only what can be added up, to compare with another.</summary>
    public Account Sums => this with { PeakBytes = 0, Entries = new Dictionary<string, (long, long)>() };

    /// <summary>The line that a target printed.</summary>
    public static Account ParseTarget(string output)
    {
        using var document = JsonDocument.Parse(output);
        var root = document.RootElement;
        Assert.Equal(0, root.GetProperty("wrong").GetInt64());
        return new Account(
            root.GetProperty("allocations").GetInt64(),
            root.GetProperty("frees").GetInt64(),
            root.GetProperty("allocated_bytes").GetInt64(),
            root.GetProperty("live_blocks").GetInt64(),
            root.GetProperty("live_bytes").GetInt64())
        {
            PeakBytes = root.GetProperty("peak_bytes").GetInt64(),
            Entries = root.GetProperty("entries").EnumerateObject().ToDictionary(
                entry => entry.Name,
                entry => (entry.Value.GetProperty("blocks").GetInt64(), entry.Value.GetProperty("bytes").GetInt64())),
        };
    }

    /// <summary><c>totals</c> of a report.</summary>
    public static Account ParseTotals(JsonElement totals) => new(
        totals.GetProperty("allocations").GetInt64(),
        totals.GetProperty("frees").GetInt64(),
        totals.GetProperty("allocated_bytes").GetInt64(),
        totals.GetProperty("live_blocks").GetInt64(),
        totals.GetProperty("live_bytes").GetInt64())
    {
        PeakBytes = totals.GetProperty("peak_bytes").GetInt64(),
    };
}
