using NativeHeap.Collect.Heap;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>
/// Which births the processes of a region record, and how that changes. Blocks that were recorded because all were may live
/// on while births are sampled, and the shim does not know them: it tells of every free at first, and as soon as
/// everything that was under way has come, of those that may be theirs. For one thread.
/// </summary>
internal sealed class RegionSampling : IDisposable
{
    // A birth that began before births were sampled is written long after that moment, or its thread knows by then.
    private const ulong SettlingNs = 200_000_000;
    private const ulong LookAgainNs = 1_000_000_000; // where too many blocks live for the bits there are

    private readonly RegionView _region;
    private readonly IEnumerable<TrackedProcess> _living;
    private KeptBlocks? _kept;
    private ulong _keepAtNs; // 0: there is nothing to be done

    /// <summary>As the region begins.</summary>
    /// <param name="region">The region.</param>
    /// <param name="living">Its processes that have not ended, whenever it is asked.</param>
    public RegionSampling(RegionView region, IEnumerable<TrackedProcess> living)
    {
        _region = region;
        _living = living;
        Mean = region.SampleBytes;
        WasSampled = Mean != 0;
    }

    /// <summary>Mean bytes between samples now; 0: every birth is recorded.</summary>
    public ulong Mean { get; private set; }

    /// <summary>Births were sampled at some time.</summary>
    public bool WasSampled { get; private set; }

    /// <summary>Births were sampled, and all recorded again after that.</summary>
    public bool HasReturned { get; private set; }

    /// <summary>Somebody has said how births are to be recorded.</summary>
    public bool WasAsked { get; set; }

    /// <summary>Has births recorded at another rate from now on.</summary>
    /// <param name="mean">Mean bytes between samples; 0: all births.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    /// <returns>False when it was so already.</returns>
    public bool Change(ulong mean, ulong clockNs)
    {
        if (mean == Mean)
        {
            return false;
        }

        if (mean == 0)
        {
            HasReturned = true;
            foreach (var process in _living)
            {
                process.Heap.HasUnrecorded = true;
            }

            _region.Sample(0, kept: false, bits: 0);
            Forget();
        }
        else
        {
            _keepAtNs = Mean == 0 ? clockNs + SettlingNs : _keepAtNs;
            _region.Sample(mean, kept: _keepAtNs != 0 || _kept is not null, _kept?.Bits ?? 0);
            WasSampled = true;
        }

        Mean = mean;
        return true;
    }

    /// <summary>Takes a new process in.</summary>
    public void Add(TrackedProcess process) => process.Heap.Kept = _kept;

    /// <summary>Goes on with what takes its time. After each pass.</summary>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    public void Advance(ulong clockNs)
    {
        if (_keepAtNs == 0 || clockNs < _keepAtNs)
        {
            return;
        }

        var blocks = _living.Sum(process => process.Heap.CountUnsampled());
        if (!_region.HasKeptBits || blocks > KeptBlocks.Most)
        {
            _keepAtNs = clockNs + LookAgainNs;
            return;
        }

        _keepAtNs = 0;
        if (blocks != 0)
        {
            _kept = new KeptBlocks(_region, blocks);
            foreach (var process in _living)
            {
                process.Heap.Keep(_kept);
            }
        }

        _region.Sample(Mean, kept: _kept is not null, _kept?.Bits ?? 0);
    }

    /// <inheritdoc/>
    public void Dispose() => Forget();

    private void Forget()
    {
        _keepAtNs = 0;
        foreach (var process in _living)
        {
            process.Heap.Kept = null;
        }

        _kept?.Dispose();
        _kept = null;
    }
}
