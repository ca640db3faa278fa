using System.Diagnostics;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Server;

/// <summary>
/// Writes CLOCK_MONOTONIC into every region every few milliseconds: the time of events, and the sign that the collector
/// lives. A thread of its own, so that nothing the collector does stops the clock; it sleeps where there is no region. Any
/// thread.
/// </summary>
internal sealed class Heartbeat : IDisposable
{
    private const int PeriodMilliseconds = 2;

    private readonly Lock _gate = new();
    private readonly List<RegionView> _regions = [];
    private readonly ManualResetEventSlim _stop = new();
    private readonly ManualResetEventSlim _isNeeded = new();
    private readonly Thread _thread;
    private ulong _nowNs;

    /// <summary>Starts the thread.</summary>
    public Heartbeat()
    {
        _nowNs = Clock();
        _thread = new Thread(Run) { IsBackground = true, Name = "clock" };
        _thread.Start();
    }

    /// <summary>What was last written, or a little before: no event in a region is later.</summary>
    public ulong NowNs => _isNeeded.IsSet ? Volatile.Read(ref _nowNs) : Clock();

    /// <summary>CLOCK_MONOTONIC now, in nanoseconds.</summary>
    public static ulong Clock() => (ulong)(Stopwatch.GetTimestamp() * (1_000_000_000 / Stopwatch.Frequency));

    /// <summary>Keeps a region's clock from now on.</summary>
    public void Add(RegionView region)
    {
        lock (_gate)
        {
            _regions.Add(region);
            WriteClock();
            _isNeeded.Set();
        }
    }

    /// <summary>Does not write to a region any more; it may be unmapped when this returns.</summary>
    public void Remove(RegionView region)
    {
        lock (_gate)
        {
            _regions.Remove(region);
            if (_regions.Count == 0 && !_stop.IsSet)
            {
                _isNeeded.Reset();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _stop.Set();
            _isNeeded.Set();
        }

        _thread.Join();
        _stop.Dispose();
        _isNeeded.Dispose();
    }

    private void Run()
    {
        Libc.PreferThisThread(); // events bear an old time as long as we wait for a processor
        while (!_stop.Wait(PeriodMilliseconds))
        {
            lock (_gate)
            {
                WriteClock();
            }

            _isNeeded.Wait();
        }
    }

    private void WriteClock()
    {
        var now = Clock();
        Volatile.Write(ref _nowNs, now);
        foreach (var region in _regions)
        {
            region.ClockNs = now;
        }
    }
}
