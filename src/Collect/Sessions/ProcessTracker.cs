using System.Globalization;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Knows when recorded processes end, by their pidfds. On the poll thread.
/// </summary>
/// <remarks>Without a free descriptor for a pidfd a process is looked for four times a second instead.</remarks>
internal sealed class ProcessTracker
{
    private readonly PollLoop _loop;
    private readonly Dictionary<int, Tracked> _byPid = [];

    /// <summary>A tracker of no process.</summary>
    public ProcessTracker(PollLoop loop)
    {
        _loop = loop;
        loop.Tick += LookForUnwatched;
    }

    private sealed record Tracked(int Pid, SafeFileHandle Process, ulong StartTicks)
    {
        public required Action<int?> Ended { get; set; }
    }

    /// <summary>Watches a process; of one that is watched already (an exec) everybody who wants to know is told.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="process">A pidfd of it, owned from now on; may be invalid.</param>
    /// <param name="ended">Called once, with the wait status when the kernel tells it.</param>
    public void Watch(int pid, SafeFileHandle process, Action<int?> ended)
    {
        if (_byPid.TryGetValue(pid, out var known) && IsThere(known))
        {
            known.Ended += ended;
            process.Dispose();
            return;
        }
        if (known is not null)
        {
            End(known);
        }
        var tracked = new Tracked(pid, process, new ProcessReader(pid).ReadStat()?.StartTicks ?? 0) { Ended = ended };
        _byPid[pid] = tracked;
        if (!process.IsInvalid)
        {
            _loop.Add(process, () => End(tracked));
        }
    }

    /// <summary>Finds the process that a forked child is in our pid namespace.</summary>
    /// <param name="pid">In its own.</param>
    /// <param name="mapping">Name of the region it has mapped.</param>
    /// <param name="bornAfterNs">CLOCK_MONOTONIC: it was forked after that.</param>
    /// <param name="isElsewhere">Whether it may well be in another pid namespace.</param>
    /// <returns>Null when it is gone.</returns>
    public static int? Find(int pid, string mapping, ulong bornAfterNs, bool isElsewhere)
    {
        if (Maps(pid, mapping))
        {
            return pid;
        }
        // An exec takes the mapping away, and the process is still the one: nobody of that pid was there before.
        if (!isElsewhere && new ProcessReader(pid).ReadStat() is { } stat)
        {
            var born = stat.StartTicks * 10_000_000; // USER_HZ is 100
            var slack = 20_000_000UL;
            return born + slack >= bornAfterNs + (BootOffset()) ? pid : Search(pid, mapping);
        }
        return isElsewhere ? Search(pid, mapping) : null;
    }

    private static ulong BootOffset() => Libc.BootClock() - Math.Min(Libc.BootClock(), Heartbeat.Clock());

    // Whoever has that pid in the innermost of its namespaces and our region mapped.
    private static int? Search(int pid, string mapping)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var candidate)
                && new ProcessReader(candidate).ReadStatus()?.NamespacePids is { Count: > 1 } pids && pids[^1] == (uint)pid
                && Maps(candidate, mapping))
            {
                return candidate;
            }
        }
        return null;
    }

    private static bool Maps(int pid, string mapping) =>
        new ProcessReader(pid).ReadMappings()?.Any(
            mapped => mapped.Path.StartsWith("/memfd:" + mapping, StringComparison.Ordinal)) == true;

    private static bool IsThere(Tracked tracked) =>
        new ProcessReader(tracked.Pid).ReadStat() is { State: not 'Z' and not 'X' } stat
        && (tracked.StartTicks == 0 || stat.StartTicks == tracked.StartTicks);

    private void LookForUnwatched()
    {
        foreach (var gone in _byPid.Values.Where(tracked => tracked.Process.IsInvalid && !IsThere(tracked)).ToList())
        {
            End(gone);
        }
    }

    private void End(Tracked tracked)
    {
        var stat = new ProcessReader(tracked.Pid).ReadStat();
        var status = stat?.StartTicks == tracked.StartTicks ? stat?.WaitStatus : null;
        _loop.Remove(tracked.Process);
        tracked.Process.Dispose();
        _byPid.Remove(tracked.Pid);
        tracked.Ended(status);
    }
}
