using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <content>What goes into the trace while recording, and when.</content>
public sealed partial class Recording
{
    private const long MostPendingRows = 2_000_000;

    private readonly List<TrackedProcess> _endedAtPeak = [];
    private readonly List<TrackedProcess> _noted = [];
    private readonly List<long> _newWidths = [];

    /// <summary>Hands what changed to the trace; does nothing while the rows of the last time are still being written,
    /// unless too many are waiting.</summary>
    /// <exception cref="TraceWriteException">The trace could not be written, now or the last time.</exception>
    public void Commit()
    {
        if (_shared.StartNs != 0 && (_committer.IsIdle || _drain.PendingRows > MostPendingRows))
        {
            if (_committer.TakeTooManyCohorts())
            {
                _drain.WidenBuckets();
            }

            Submit(last: false);
        }
    }

    /// <summary>Waits until everything that was committed is in the file.</summary>
    /// <exception cref="TraceWriteException">It could not be written.</exception>
    public void Flush()
    {
        if (_shared.StartNs != 0)
        {
            Submit(last: false);
        }

        _committer.Flush();
    }

    private void Submit(bool last)
    {
        foreach (var region in _drain.Regions)
        {
            region.DiscoverAll();
        }

        RefreshModules();
        var batch = _committer.Batch;
        batch.Widths.AddRange(_newWidths);
        _newWidths.Clear();
        foreach (var process in _drain.Processes)
        {
            if (!process.HasEnded)
            {
                process.Region.ReadSlot(process);
            }

            _filler.Fill(process, batch, last);
        }

        FillRemarks(batch);
        FillPeaksPassed(batch);
        FillMeta(batch);
        _filler.FillRegistry(batch);
        _committer.Submit();
        _drain.ForgetEnded();
    }

    // What is said of a process whose last rows are in the trace already goes into its row, too.
    private void FillRemarks(TraceBatch batch)
    {
        batch.Processes.AddRange(_noted.Where(process => process.Heap.Changed).Distinct().Select(BatchFiller.Describe));
        _noted.ForEach(process => process.Heap.Changed = false);
        _noted.Clear();
    }

    private void FillPeaksPassed(TraceBatch batch)
    {
        var epoch = _shared.Live.Epoch;
        batch.PeaksPassed.AddRange(_endedAtPeak.Where(ended => ended.EndEpoch != epoch).Select(ended => ended.Id));
        _endedAtPeak.RemoveAll(ended => ended.EndEpoch != epoch);
    }

    private void FillMeta(TraceBatch batch)
    {
        var peak = Peak;
        batch.Sampling.AddRange(_shared.Sampling);
        _shared.Sampling.Clear();
        batch.Meta.Add(("lost_events", _drain.LostEvents));
        batch.Meta.Add(("peak_bytes", peak.Bytes));
        batch.Meta.Add(("peak_blocks", peak.Blocks));
        batch.Meta.Add(("peak_time_ns", peak.TimeNs));
        batch.Meta.Add(("peak_low_bytes", peak.LowBytes));
        batch.Meta.Add(("peak_high_bytes", peak.HighBytes));
    }
}
