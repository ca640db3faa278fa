using System.Text.Json;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>Totals that can be added up and compared.</summary>
internal sealed record Sums(long Allocations, long Frees, long AllocatedBytes, long LiveBlocks, long LiveBytes)
{
    public static Sums operator +(Sums a, Sums b) => new(
        a.Allocations + b.Allocations,
        a.Frees + b.Frees,
        a.AllocatedBytes + b.AllocatedBytes,
        a.LiveBlocks + b.LiveBlocks,
        a.LiveBytes + b.LiveBytes);

    /// <summary>From an object that has them among its members.</summary>
    public static Sums Parse(JsonElement totals) => new(
        totals.GetProperty("allocations").GetInt64(),
        totals.GetProperty("frees").GetInt64(),
        totals.GetProperty("allocated_bytes").GetInt64(),
        totals.GetProperty("live_blocks").GetInt64(),
        totals.GetProperty("live_bytes").GetInt64());
}

/// <summary>Totals, whoever counted: a target that keeps its own account (tests/targets/account.h), or a trace.</summary>
internal sealed record Account(Sums Sums, long PeakBytes)
{
    /// <summary>Blocks and bytes by allocation function; of targets alone.</summary>
    public IReadOnlyDictionary<string, (long Blocks, long Bytes)> Entries { get; init; } =
        new Dictionary<string, (long, long)>();

    /// <summary>The line that a target printed.</summary>
    public static Account ParseTarget(string output)
    {
        using var document = JsonDocument.Parse(output);
        var root = document.RootElement;
        Assert.Equal(0, root.GetProperty("wrong").GetInt64());
        return ParseTotals(root) with
        {
            Entries = root.GetProperty("entries").EnumerateObject().ToDictionary(
                entry => entry.Name,
                entry => (entry.Value.GetProperty("blocks").GetInt64(), entry.Value.GetProperty("bytes").GetInt64())),
        };
    }

    /// <summary><c>totals</c> of a report.</summary>
    public static Account ParseTotals(JsonElement totals) =>
        new(Sums.Parse(totals), totals.GetProperty("peak_bytes").GetInt64());
}
