using System.Globalization;

namespace NativeHeap.Memory.Proc;

/// <summary>
/// The memory limits that a process's control group and those above it set, of either version: beyond one the kernel
/// ends a process. As kubelet does, file pages that nobody has used for a while do not count as used: the kernel gives
/// them up first.
/// </summary>
public sealed class MemoryLimits
{
    private const int MostLevels = 64;
    private const int LargestFile = 1 << 16;
    private const long Unlimited = 1L << 60; // version 1 says "no limit" as the most pages that a long can count

    private readonly List<Level> _levels = [];

    private MemoryLimits()
    {
    }

    private sealed record Level(string Folder, bool IsUnified);

    /// <summary>Finds a process's control groups.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="root">What stands before /proc and before mount points; empty but in tests.</param>
    /// <returns>Null when none that limits memory can be seen from here.</returns>
    public static MemoryLimits? Of(int pid, string root = "")
    {
        var id = pid.ToString(CultureInfo.InvariantCulture);
        var mounts = ProcFile.ReadText($"{root}/proc/self/mountinfo", LargestFile * 16);
        var groups = ProcFile.ReadText($"{root}/proc/{id}/cgroup", LargestFile);
        if (mounts is null || groups is null)
        {
            return null;
        }

        var limits = new MemoryLimits();
        foreach (var line in groups.Split('\n'))
        {
            // hierarchy:controllers:path
            var parts = line.Split(':', 3);
            if (parts.Length == 3 && (parts[1].Length == 0 || parts[1].Split(',').Contains("memory")))
            {
                limits.Add(mounts, root, parts[2], isUnified: parts[1].Length == 0);
            }
        }

        return limits._levels.Count == 0 ? null : limits;
    }

    /// <summary>The limit that is nearest now.</summary>
    /// <returns>Bytes in use under it, and the limit; null when there is none, or the groups are gone.</returns>
    public (long UsedBytes, long LimitBytes)? Nearest()
    {
        (long Used, long Limit)? nearest = null;
        foreach (var level in _levels)
        {
            if (Read(level) is { } here
                && (nearest is not { } other || (double)here.Used / here.Limit > (double)other.Used / other.Limit))
            {
                nearest = here;
            }
        }

        return nearest;
    }

    private void Add(string mounts, string root, string path, bool isUnified)
    {
        if (FindMount(mounts, isUnified) is not { } mount || Below(path, mount.Root) is not { } below)
        {
            return;
        }

        // The mount point's own files are those of the group that it shows.
        for (var i = 0; i < MostLevels; i++)
        {
            _levels.Add(new Level($"{root}{mount.Point}{below}", isUnified));
            if (below.Length == 0)
            {
                break;
            }

            below = below[..below.LastIndexOf('/')];
        }
    }

    // id parent major:minor root point options [tags…] - type source options
    private static (string Root, string Point)? FindMount(string mounts, bool isUnified)
    {
        foreach (var line in mounts.Split('\n'))
        {
            var halves = line.Split(" - ", 2);
            var left = halves[0].Split(' ');
            var right = halves.Length == 2 ? halves[1].Split(' ') : [];
            var fits = isUnified
                ? right is ["cgroup2", ..]
                : right is ["cgroup", _, var options, ..] && options.Split(',').Contains("memory");
            if (fits && left.Length > 4)
            {
                return (left[3], left[4].TrimEnd('/'));
            }
        }

        return null;
    }

    // A group outside of what is mounted here (another namespace's) cannot be seen.
    private static string? Below(string path, string mountRoot)
    {
        var root = mountRoot.TrimEnd('/');
        var inside = path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] == '/');
        return !path.StartsWith('/') || !inside || path.Split('/').Contains("..") ? null : path[root.Length..].TrimEnd('/');
    }

    private static (long Used, long Limit)? Read(Level level)
    {
        var (limit, used, idle) = level.IsUnified
            ? ("memory.max", "memory.current", "inactive_file ")
            : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ");
        if (Number($"{level.Folder}/{limit}") is not (> 0 and < Unlimited and var most)
            || Number($"{level.Folder}/{used}") is not { } inUse)
        {
            return null;
        }

        var statistics = ProcFile.ReadText($"{level.Folder}/memory.stat", LargestFile) ?? "";
        var line = statistics.Split('\n').FirstOrDefault(line => line.StartsWith(idle, StringComparison.Ordinal));
        var idleBytes = line is null ? 0 : Parse(line[idle.Length..]) ?? 0;
        return (Math.Max(0, inUse - idleBytes), most);
    }

    private static long? Number(string path) => ProcFile.ReadText(path, LargestFile) is { } text ? Parse(text) : null;

    private static long? Parse(string text) =>
        long.TryParse(text.AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
