namespace Truth;

/// <summary>Threads that allocate and collect without a pause, until disposed.</summary>
internal sealed class CollectorLoad : IDisposable
{
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
        }
        GC.KeepAlive(kept);
    }

    private void Collect()
    {
        while (!_over)
        {
            GC.Collect(0);
        }
    }
}
