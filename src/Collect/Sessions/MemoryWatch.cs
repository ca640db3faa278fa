using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>Whether processes come near to what they may have: of resident memory, or of their control groups' limits.
/// For one thread.</summary>
/// <param name="options">How near.</param>
/// <param name="limitsOf">Finds a process's limits; null: it has none that can be seen.</param>
internal sealed class MemoryWatch(SnapshotOptions options, Func<int, MemoryLimits?> limitsOf)
{
    private const double Near = 0.8; // from here on it is looked at more often
    private const double Clear = 0.9; // below it, the next time counts anew

    private readonly Dictionary<int, Watched> _processes = [];

    /// <summary>Whether one of those that were looked at last may get there soon.</summary>
    public bool IsNear { get; private set; }

    /// <summary>Begins a round of looks.</summary>
    public void BeginRound() => IsNear = false;

    /// <summary>Forgets those that are not there any more.</summary>
    /// <param name="pids">Those that are.</param>
    public void Keep(IReadOnlySet<int> pids)
    {
        foreach (var gone in _processes.Keys.Where(pid => !pids.Contains(pid)).ToList())
        {
            _processes.Remove(gone);
        }
    }

    /// <summary>Looks at one.</summary>
    /// <param name="pid">The process, in our pid namespace.</param>
    /// <param name="residentBytes">What of it is resident.</param>
    /// <returns>'rss' or 'limit' when it has come there since the last look; else null.</returns>
    public string? Look(int pid, long residentBytes)
    {
        if (!_processes.TryGetValue(pid, out var process))
        {
            process = new Watched(options.LimitPercent is null ? null : limitsOf(pid));
            _processes.Add(pid, process);
        }
        var rss = options.ResidentBytes is { } most && Reaches((double)residentBytes / most, ref process.HasResident);
        var limit = options.LimitPercent is { } percent && process.Limits?.Nearest() is { } nearest
            && Reaches(nearest.UsedBytes * 100.0 / percent / nearest.LimitBytes, ref process.HasLimit);
        return rss ? "rss" : limit ? "limit" : null;
    }

    private bool Reaches(double share, ref bool before)
    {
        var isNew = share >= 1 && !before;
        before = share >= 1 || (before && share >= Clear);
        IsNear |= share >= Near && !before;
        return isNew;
    }

    private sealed class Watched(MemoryLimits? limits)
    {
        public bool HasResident;
        public bool HasLimit;

        public MemoryLimits? Limits => limits;
    }
}
