using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Has births sampled in processes where recording all of them would cost more than was allowed, and never all again by
/// itself. What it costs is an estimate: events counted, each at what it was measured to take of the target's CPU time
/// (docs/decisions/023), against the CPU time that the kernel counts for the process. <see cref="Look"/> is for one
/// thread.
/// </summary>
/// <param name="percent">Most CPU time of ours in a process for each 100 of its own; 1 to 200.</param>
/// <param name="post">Runs something on the drain's thread.</param>
/// <param name="say">Told the first time that births of a process are sampled. On the drain's thread.</param>
internal sealed class OverheadLimit(int percent, Action<Action<Recording>> post, Action<string> say)
{
    /// <summary>Mean bytes between samples from then on.</summary>
    public const long SampleBytes = 512 << 10;

    // CPU time of the target, in ns: measured on several programs.
    private const double Birth = 75;
    private const double Death = 25;
    private const double NewNode = 400; // of the calling-context tree: a frame that was never seen below its caller

    private const double Most = 300; // percent; beyond it the estimate is more than all that there was, and says no more

    private const ulong WindowNs = 1_000_000_000;
    private const long LeastCpuNs = 200_000_000; // the kernel counts in steps of 10 ms, and what costs little is let be

    private readonly Dictionary<int, Window> _windows = [];
    private bool _hasSaid; // the drain's

    private sealed record Window(ProcessId Process, ulong StartNs, long CpuNs)
    {
        public EventCounts? Counts { get; set; } // the drain's
    }

    /// <summary>Looks at a process: nothing happens before the end of a window of time.</summary>
    /// <param name="process">Its row.</param>
    /// <param name="reader">The process.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    public void Look(ProcessId process, ProcessReader reader, ulong clockNs)
    {
        var known = _windows.GetValueOrDefault(reader.Pid);
        if (known?.Process == process && clockNs - known.StartNs < WindowNs)
        {
            return;
        }

        if (reader.ReadStat()?.CpuNs is not { } cpu)
        {
            return; // it has ended
        }

        if (known?.Process != process)
        {
            Begin(process, reader.Pid, clockNs, cpu);
        }
        else if (cpu - known.CpuNs >= LeastCpuNs)
        {
            post(recording => Judge(recording, known, cpu, reader.Pid));
            Begin(process, reader.Pid, clockNs, cpu);
        }
    }

    /// <summary>Forgets processes that are not looked at any more.</summary>
    public void Keep(IReadOnlySet<int> pids)
    {
        foreach (var pid in _windows.Keys.Where(pid => !pids.Contains(pid)).ToList())
        {
            _windows.Remove(pid);
        }
    }

    /// <summary>How much CPU time of ours was in what a process used, for each 100 of its own; at most <see cref="Most"/>.</summary>
    /// <param name="cpuNs">All that it used.</param>
    /// <param name="births">Births that were recorded.</param>
    /// <param name="deaths">Deaths that were.</param>
    /// <param name="nodes">New nodes of the calling-context tree.</param>
    internal static double Percent(long cpuNs, long births, long deaths, double nodes)
    {
        var ours = (births * Birth) + (deaths * Death) + (nodes * NewNode);
        return Math.Min(Most, 100 * ours / Math.Max(cpuNs - ours, 1)); // the estimate may be more than there was
    }

    private void Begin(ProcessId process, int pid, ulong clockNs, long cpuNs)
    {
        var window = new Window(process, clockNs, cpuNs);
        _windows[pid] = window;
        post(recording => window.Counts = recording.CountAll(process));
    }

    private void Judge(Recording recording, Window window, long cpuNs, int pid)
    {
        if (window.Counts is not { } before || recording.CountAll(window.Process) is not { } now)
        {
            return; // births are sampled already, or somebody wants all of them
        }

        var births = now.Births - before.Births;
        // Processes that were forked from each other grow one tree: each has the share of its births.
        var share = Math.Clamp(births / (double)Math.Max(1, now.RegionBirths - before.RegionBirths), 0, 1);
        var cost = Percent(cpuNs - window.CpuNs, births, now.Deaths - before.Deaths, share * (now.RegionNodes - before.RegionNodes));
        if (cost < percent
            || !recording.Sample(window.Process, SampleBytes, SamplingReasons.Overhead, Server.Heartbeat.Clock()) || _hasSaid)
        {
            return;
        }

        _hasSaid = true;
        say(string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"to record every call would add about {cost:0} % {(cost < Most ? "" : "or more ")}to the CPU time of process {pid}, and {percent} % is allowed: "
            + $"samples are recorded from now on, one in {SampleBytes >> 10} KiB on average (and so of other processes, without a word)"));
    }
}

/// <summary>What a process has recorded up to a moment.</summary>
/// <param name="Births">Births.</param>
/// <param name="Deaths">Deaths.</param>
/// <param name="RegionBirths">Births of all that share its recording.</param>
/// <param name="RegionNodes">Nodes of the calling-context tree that they share.</param>
internal readonly record struct EventCounts(long Births, long Deaths, long RegionBirths, int RegionNodes);
