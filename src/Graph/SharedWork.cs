using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>Blocks that a worker has marked and another one may look at. Safe from several threads.</summary>
/// <param name="workers">How many share it.</param>
internal sealed class SharedWork(int workers)
{
    private const int FewBlocks = 64; // that a worker keeps for itself

    private readonly object _gate = new();
    private readonly Stack<int[]> _given = new();
    private int _idle;
    private volatile bool _isWanted;

    /// <summary>Begins another round; nobody works meanwhile.</summary>
    public void Begin()
    {
        _idle = 0;
        _isWanted = false;
        _given.Clear();
    }

    /// <summary>Gives half of a worker's blocks away, if somebody wants any.</summary>
    public void Give(NativeList<int> work)
    {
        if (!_isWanted || work.Count < FewBlocks)
        {
            return;
        }

        var half = work.Items[(work.Count / 2)..].ToArray();
        lock (_gate)
        {
            work.Cut(work.Count - half.Length);
            _given.Push(half);
            _isWanted = false;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits for blocks of others.</summary>
    /// <returns>False when nobody has any left.</returns>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public bool TryTake(NativeList<int> work, CancellationToken cancellation)
    {
        lock (_gate)
        {
            _idle++;
            while (_given.Count == 0)
            {
                if (_idle == workers)
                {
                    Monitor.PulseAll(_gate);
                    return false;
                }

                _isWanted = true;
                Monitor.Wait(_gate, millisecondsTimeout: 50);
                cancellation.ThrowIfCancellationRequested();
            }

            _idle--;
            foreach (var block in _given.Pop())
            {
                work.Add(block);
            }

            return true;
        }
    }
}
