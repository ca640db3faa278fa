using Microsoft.Win32.SafeHandles;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Knows when recorded processes end, by their pidfds. On the poll thread.
/// </summary>
/// <remarks>Without a free descriptor for a pidfd a process is looked for four times a second instead.</remarks>
internal sealed class ProcessTracker : IDisposable
{
    private readonly PollLoop _loop;
    private readonly Dictionary<int, Tracked> _byPid = [];
    private readonly List<Leave> _leaves = [];
    private bool _isOver;
    private int _nameless; // stands for pids that are none here

    /// <summary>A tracker of no process.</summary>
    public ProcessTracker(PollLoop loop)
    {
        _loop = loop;
        loop.Tick += LookForUnwatched;
        loop.Tick += LookForPatience;
    }

    private sealed record Tracked(int Pid, SafeFileHandle Process, ulong StartTicks)
    {
        public required Action<int?> Ended { get; set; }
    }

    private sealed record Leave(HashSet<Tracked> Leaving, long Deadline, Action Done);

    /// <summary>Watches a process; of one that is watched already (an exec) everybody who wants to know is told.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="process">A pidfd of it, owned from now on; may be invalid.</param>
    /// <param name="ended">Called once, with the wait status when the kernel tells it.</param>
    public void Watch(int pid, SafeFileHandle process, Action<int?> ended)
    {
        if (_isOver)
        {
            process.Dispose(); // what was on its way when we were let go
            return;
        }
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

    /// <summary>Waits for the watched processes that have begun to end, and runs no code of theirs any more. A process
    /// closes its files well before its pidfd tells of its end, so others may know of it earlier than we do.</summary>
    /// <param name="patience">Most that is waited.</param>
    /// <param name="done">Called once, after those ends were told, or when patience is over.</param>
    public void WhenLeft(TimeSpan patience, Action done)
    {
        var leaving = _byPid.Values
            .Where(tracked => new ProcessReader(tracked.Pid).ReadStat() is not { IsExiting: false })
            .ToHashSet<Tracked>(ReferenceEqualityComparer.Instance);
        _leaves.Add(new Leave(leaving, Environment.TickCount64 + (long)patience.TotalMilliseconds, done));
        TellLeft();
    }

    /// <summary>Whether a process is watched.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public bool Watches(int pid) => _byPid.ContainsKey(pid);

    /// <summary>Watches a process of a pid namespace that ours does not contain, as far as that can be done.</summary>
    /// <param name="process">A pidfd of it, owned from now on. An invalid one: nobody learns of its end.</param>
    /// <param name="ended">As for <see cref="Watch"/>.</param>
    public void WatchNameless(SafeFileHandle process, Action<int?> ended)
    {
        if (process.IsInvalid)
        {
            process.Dispose();
            return;
        }
        Watch(--_nameless, process, ended);
    }

    /// <summary>Watches nobody any more.</summary>
    public void Dispose()
    {
        _isOver = true;
        _loop.Tick -= LookForUnwatched;
        _loop.Tick -= LookForPatience;
        foreach (var tracked in _byPid.Values)
        {
            _loop.Remove(tracked.Process);
            tracked.Process.Dispose();
        }
        _byPid.Clear();
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
        foreach (var candidate in ProcessReader.ProcessIds())
        {
            if (new ProcessReader(candidate).ReadStatus()?.NamespacePids is { Count: > 1 } pids && pids[^1] == (uint)pid
                && Maps(candidate, mapping))
            {
                return candidate;
            }
        }

        return null;
    }

    private static bool Maps(int pid, string mapping) =>
        new ProcessReader(pid).ReadMappings()?.Any(
            mapped => mapped.Path is var path && (path == "/memfd:" + mapping || path == $"/memfd:{mapping} (deleted)")) == true;

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
        _leaves.ForEach(leave => leave.Leaving.Remove(tracked));
        TellLeft();
    }

    private void LookForPatience()
    {
        if (_leaves.Count > 0)
        {
            TellLeft();
        }
    }

    private void TellLeft()
    {
        var now = Environment.TickCount64;
        foreach (var leave in _leaves.Where(leave => leave.Leaving.Count == 0 || now >= leave.Deadline).ToList())
        {
            _leaves.Remove(leave);
            leave.Done();
        }
    }
}
