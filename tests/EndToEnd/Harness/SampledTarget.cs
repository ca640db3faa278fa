using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>How a recorded process samples, by what its collector tells it: the word in the region that it has mapped.</summary>
internal static class SampledTarget
{
    private const int WordOffset = 120; // region.sampling of native/wire/records.def
    private const ulong Kept = 1UL << 63;

    /// <summary>Waits until the process tells of the frees of those blocks alone that were recorded.</summary>
    public static void AwaitKeptBlocks(int pid)
    {
        for (var clock = Stopwatch.StartNew(); Word(pid) is var word && ((word & Kept) == 0 || (word >> 56 & 63) == 0); Thread.Yield())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(1), $"its collector tells it 0x{word:x}");
        }
    }

    private static ulong Word(int pid)
    {
        var region = File.ReadLines($"/proc/{pid}/maps").First(line => line.Contains("rw-s 00000000", StringComparison.Ordinal)
            && line.Contains("/memfd:nativeheap-", StringComparison.Ordinal));
        using var memory = File.OpenRead($"/proc/{pid}/mem");
        memory.Position = long.Parse(region.AsSpan(0, region.IndexOf('-')), NumberStyles.HexNumber, CultureInfo.InvariantCulture) + WordOffset;
        Span<byte> word = stackalloc byte[8];
        memory.ReadExactly(word);
        return BitConverter.ToUInt64(word);
    }
}
