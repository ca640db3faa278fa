using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Server;

/// <summary>What the kernel shows of a region among a process's mappings: which collector made it, and where processes came
/// to that one by themselves. It stays when the collector has ended, and goes with a detach or an exec.</summary>
/// <param name="Collector">Pid of the collector, in its own namespace.</param>
/// <param name="Place">Stands for a socket that is listened at; null: the region is none of a listener's.</param>
/// <param name="IsOurs">Whether it was made by this very process.</param>
internal sealed record RegionName(int Collector, string? Place, bool IsOurs)
{
    private const string Prefix = "nativeheap-";
    private const string Mapped = "/memfd:" + Prefix;
    private const string Deleted = " (deleted)";

    private static readonly string OurRun = Run();
    private static int _count;

    /// <summary>A name for a new region.</summary>
    /// <param name="place">See <see cref="Place"/>.</param>
    public static string Next(string? place) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref _count)}{(place is null ? "" : $"-{place}-{OurRun}")}");

    /// <summary>Reads the name of a mapping; null when it is no region's.</summary>
    /// <param name="path">As /proc/PID/maps has it.</param>
    public static RegionName? Parse(string path)
    {
        if (!path.StartsWith(Mapped, StringComparison.Ordinal))
        {
            return null;
        }

        var words = path[Mapped.Length..].Replace(Deleted, "", StringComparison.Ordinal).Split('-');
        return int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out var collector)
            ? new RegionName(collector, words.Length > 2 ? words[2] : null, words.Length > 3 && words[3] == OurRun)
            : null;
    }

    /// <summary>What stands for a socket's path: the same for each collector that listens there, unless it lives in another
    /// pid namespace, where a path may mean another file.</summary>
    /// <param name="socketPath">Absolute.</param>
    public static string PlaceOf(string socketPath)
    {
        const int bytes = 8;
        var text = socketPath + '\0' + new FileInfo("/proc/self/ns/pid").LinkTarget;
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, bytes));
    }

    // In a container each collector may well have the same pid.
    private static string Run() => string.Create(
        CultureInfo.InvariantCulture, $"{new ProcessReader(Environment.ProcessId).ReadStat()?.StartTicks ?? 0:x}");
}
