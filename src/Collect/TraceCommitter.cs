using System.Runtime.ExceptionServices;
using NativeHeap.Trace;

namespace NativeHeap.Collect;

/// <summary>
/// Writes batches on a thread of its own, so that the drain, which targets wait for, never waits for a disk. One batch
/// is written while the next is filled. Its methods are for one thread.
/// </summary>
internal sealed class TraceCommitter : IDisposable
{
    private readonly TraceWriter _writer;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private TraceBatch? _writing;
    private TraceBatch _filling = new();
    private TraceBatch _spare = new();
    private ExceptionDispatchInfo? _failure;
    private bool _isClosing;

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
            try
            {
                batch.Write(_writer);
            }
            catch (TraceWriteException e)
            {
                failure = ExceptionDispatchInfo.Capture(e); // handed over to whoever submits or asks next
            }

            lock (_gate)
            {
                _failure = failure;
                _writing = null;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
