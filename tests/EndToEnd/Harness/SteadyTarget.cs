using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>
/// The target that counts into a file (tests/targets/steady.c), so that its account can be read at any moment and after
/// its death.
/// </summary>
internal sealed class SteadyTarget
{
    // Offsets in struct ledger of steady.c.
    private const int AccountBytes = (8 + 18 + 1) * 8;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly string _ledger;

    public SteadyTarget(TempFolder folder, long? operations = null)
    {
        _ledger = folder[$"{Guid.NewGuid():N}.ledger"];
        Command = [Built.Target("steady"), _ledger];
        if (operations is { } count)
        {
            Command = [.. Command, count.ToString(CultureInfo.InvariantCulture)];
        }
    }

    public IReadOnlyList<string> Command { get; }

    /// <summary>Its pid, from the moment it says so.</summary>
    public int Pid => (int)Read()[AccountBytes / 8];

    public long Operations => Read() is var words ? words[0] + words[1] : 0;

    /// <summary>What it counted up to now: allocations, frees, allocated bytes, freed bytes.</summary>
    public (long Allocations, long Frees, long AllocatedBytes, long FreedBytes) Counted =>
        Read() is var words ? (words[0], words[1], words[2], words[3]) : default;

    /// <summary>Waits until it has done so many operations, or until <paramref name="over"/>.</summary>
    public void WaitForOperations(long operations, Func<bool> over)
    {
        var clock = Stopwatch.StartNew();
        while (Operations < operations && !over())
        {
            Assert.True(clock.Elapsed < s_patience, $"the target stands still after {Operations} operations");
            Thread.Yield();
        }
    }

    private long[] Read()
    {
        var bytes = new byte[AccountBytes + 8];
        try
        {
            using var file = new FileStream(_ledger, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0);
            _ = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        }
        catch (FileNotFoundException)
        {
            // It has not come that far; nothing is counted yet.
        }
        return MemoryMarshal.Cast<byte, long>(bytes).ToArray();
    }
}
