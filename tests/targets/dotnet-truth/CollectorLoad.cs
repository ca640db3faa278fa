namespace Truth;

/// <summary>
/// Threads that allocate, and collect every few blocks and whenever <see cref="Ask"/> is called, until disposed. Never
/// faster than that, so that the others come on when processors are few.
/// </summary>
internal sealed class CollectorLoad : IDisposable
{
    private const int BlocksPerCollection = 4;

    private static volatile bool _asked;

    private readonly Thread[] _threads;
    private volatile bool _over;

    public CollectorLoad()
    {
        _threads = [new Thread(Allocate), new Thread(Collect)];
        foreach (var thread in _threads)
        {
            thread.Start();
        }
    }

    /// <summary>A collection begins as soon as can be; the caller does not wait for it.</summary>
    public static void Ask() => _asked = true;

    public void Dispose()
    {
        _over = true;
        foreach (var thread in _threads)
        {
            thread.Join();
        }
    }

    private void Allocate()
    {
        var kept = new object[1000];
        for (var i = 0; !_over; i++)
        {
            kept[i % kept.Length] = new byte[i % 2000];
            Thread.Yield();
        }
        GC.KeepAlive(kept);
    }

    private void Collect()
    {
        for (var next = 0; !_over;)
        {
            if (_asked || Ledger.Blocks >= next)
            {
                _asked = false;
                GC.Collect(0);
                next = Ledger.Blocks + BlocksPerCollection;
            }
            else
            {
                Thread.SpinWait(10);
            }
        }
    }
}
