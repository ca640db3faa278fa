using System.Runtime.ExceptionServices;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>
/// Writes batches on a thread of its own, so that the drain, which targets wait for, never waits for a disk. One batch
/// is written while the next is filled. Its methods are for one thread.
/// </summary>
internal sealed class TraceCommitter : IDisposable
{
    /// <summary>Rows of cohorts that a trace may have besides four for each stack of a process: some 4 MB.</summary>
    public const int MostCohorts = 200_000;

    private readonly TraceWriter _writer;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private TraceBatch? _writing;
    private TraceBatch _filling = new();
    private TraceBatch _spare = new();
    private ExceptionDispatchInfo? _failure;
    private bool _isClosing;
    private long _cohortsAtMost; // counted now and then, and then by what was written since
    private long _writtenSinceCount;
    private bool _hasTooManyCohorts;

    public TraceCommitter(TraceWriter writer)
    {
        _writer = writer;
        _thread = new Thread(Run) { IsBackground = true, Name = "trace" };
        _thread.Start();
    }

    /// <summary>The batch to fill.</summary>
    public TraceBatch Batch => _filling;

    /// <summary>Whether <see cref="Submit"/> would not wait.</summary>
    /// <exception cref="TraceWriteException">A batch could not be written.</exception>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
            {
                _failure?.Throw();
                return _writing is null;
            }
        }
    }

    /// <summary>Has the filled batch written; waits for the one before.</summary>
    /// <exception cref="TraceWriteException">A batch could not be written.</exception>
    public void Submit()
    {
        lock (_gate)
        {
            WaitWhileWriting();
            _writing = _filling;
            (_filling, _spare) = (_spare, _filling);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until everything that was submitted is in the trace.</summary>
    /// <exception cref="TraceWriteException">A batch could not be written.</exception>
    public void Flush()
    {
        lock (_gate)
        {
            WaitWhileWriting();
        }
    }

    /// <summary>Says once that cohorts have become too many, so that buckets have to become wider.</summary>
    public bool TakeTooManyCohorts()
    {
        lock (_gate)
        {
            var tooMany = _hasTooManyCohorts;
            _hasTooManyCohorts = false;
            return tooMany;
        }
    }

    /// <summary>Ends the thread after the batch it is writing.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosing = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join();
    }

    private void WaitWhileWriting()
    {
        while (_writing is not null && _failure is null)
        {
            Monitor.Wait(_gate);
        }

        _failure?.Throw();
    }

    private void Run()
    {
        while (true)
        {
            TraceBatch batch;
            lock (_gate)
            {
                while (_writing is null && !_isClosing)
                {
                    Monitor.Wait(_gate);
                }

                if (_writing is null || _failure is not null)
                {
                    return;
                }

                batch = _writing;
            }

            ExceptionDispatchInfo? failure = null;
            var tooMany = false;
            try
            {
                tooMany = HasTooManyCohorts(batch.Write(_writer));
            }
            catch (TraceWriteException e)
            {
                failure = ExceptionDispatchInfo.Capture(e); // handed over to whoever submits or asks next
            }

            lock (_gate)
            {
                _failure = failure;
                _hasTooManyCohorts |= tooMany;
                _writing = null;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private bool HasTooManyCohorts(int written)
    {
        _cohortsAtMost += written;
        _writtenSinceCount += written;
        if (_cohortsAtMost <= MostCohorts || _writtenSinceCount < MostCohorts / 4)
        {
            return false;
        }

        _writtenSinceCount = 0;

        var rows = _writer.CountRows();
        _cohortsAtMost = Math.Max(0, rows.Cohorts - (4 * rows.StackTotals));
        return _cohortsAtMost > MostCohorts;
    }
}
