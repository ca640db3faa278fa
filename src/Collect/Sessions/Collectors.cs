using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>Who records a process, told by what it has mapped: a region's name has the collector's pid, and the kernel
/// knows where that one listens. The environment of a process that was attached to says nothing.</summary>
internal static class Collectors
{
    private const string Listens = "00010000"; // __SO_ACCEPTCON
    private const string RuntimePort = "dotnet"; // beside the socket, where a command's runtime finds us

    /// <summary>The socket of the living collector of a process; null: there is none, or we may not look.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public static string? FindSocket(int pid)
    {
        var collectors = (new ProcessReader(pid).ReadMappings() ?? [])
            .Select(mapping => RegionName.Parse(mapping.Path)?.Collector).OfType<int>().Distinct();
        foreach (var collector in collectors)
        {
            if (collector != pid && ListenerOf(collector) is { } socket)
            {
                return socket;
            }
        }

        return null;
    }

    /// <summary>The sockets of all collectors that we may look at.</summary>
    public static IEnumerable<string> Sockets() => ProcessReader.ProcessIds()
        .Where(pid => pid != Environment.ProcessId && HasRegionOfItsOwn(pid))
        .Select(ListenerOf)
        .OfType<string>();

    private static bool HasRegionOfItsOwn(int pid) =>
        new ProcessReader(pid).ReadMappings()?.Any(mapping => RegionName.Parse(mapping.Path)?.Collector == pid) == true;

    // Our own runtime's diagnostic port.
    private static bool IsOfRuntime(string path) =>
        Path.GetFileName(path).StartsWith("dotnet-diagnostic-", StringComparison.Ordinal);

    // The path of a socket that a process accepts connections at.
    private static string? ListenerOf(int collector)
    {
        try
        {
            var sockets = Directory.EnumerateFileSystemEntries($"/proc/{collector}/fd")
                .Select(entry => new FileInfo(entry).LinkTarget ?? "")
                .Where(target => target.StartsWith("socket:[", StringComparison.Ordinal))
                .Select(target => target[8..^1])
                .ToHashSet(StringComparer.Ordinal);
            // Num RefCount Protocol Flags Type St Inode Path
            return File.ReadLines($"/proc/{collector}/net/unix")
                .Select(line => line.Split(' ', 8, StringSplitOptions.RemoveEmptyEntries))
                .Where(fields => fields.Length == 8 && fields[3] == Listens && sockets.Contains(fields[6]))
                .Select(fields => fields[7].TrimEnd())
                .Where(path => path.StartsWith('/') && !IsOfRuntime(path))
                .OrderBy(path => Path.GetFileName(path) == RuntimePort)
                .FirstOrDefault();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // it has gone, or is somebody else's
        }
    }
}
