using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Collect.Server;

/// <summary>
/// One thread that waits for descriptors (poll(2)): the listening socket, its connections, pidfds, the supervisor.
/// Everything but <see cref="Post"/> and <see cref="Dispose"/> is called on that thread.
/// </summary>
internal sealed class PollLoop : IDisposable
{
    private const int Beat = 250; // ms between calls of Tick

    private readonly SafeFileHandle _wake = Libc.CreateEvent();
    private readonly ConcurrentQueue<Action> _posted = new();
    private readonly List<Watch> _watches = [];
    private readonly Action<Exception> _fault;
    private readonly Thread _thread;
    private volatile bool _stopping;

    /// <summary>Starts the thread.</summary>
    /// <param name="fault">Told what a callback threw; the loop goes on without that descriptor.</param>
    public PollLoop(Action<Exception> fault)
    {
        _fault = fault;
        _thread = new Thread(Run) { IsBackground = true, Name = "poll" };
    }

    private sealed record Watch(SafeFileHandle Handle, Action Ready)
    {
        public bool Removed { get; set; }
    }

    /// <summary>Called every quarter of a second or so while there is something to time out.</summary>
    public event Action? Tick;

    /// <summary>Lets the thread run; what was added before is watched from the start.</summary>
    public void Start() => _thread.Start();

    /// <summary>Runs something on the loop's thread. Any thread.</summary>
    public void Post(Action action)
    {
        _posted.Enqueue(action);
        Libc.Raise(_wake);
    }

    /// <summary>Runs something on the loop's thread, which has started, and waits until it is done. Any thread but that
    /// one.</summary>
    public void Send(Action action)
    {
        using var done = new ManualResetEventSlim();
        Post(() =>
        {
            action();
            done.Set();
        });
        done.Wait();
    }

    /// <summary>Calls <paramref name="ready"/> whenever the descriptor can be read or is hung up. Not owned.</summary>
    public void Add(SafeFileHandle handle, Action ready) => _watches.Add(new Watch(handle, ready));

    /// <summary>Forgets a descriptor; to be called before it is closed.</summary>
    public void Remove(SafeFileHandle handle)
    {
        foreach (var watch in _watches.Where(watch => watch.Handle == handle))
        {
            watch.Removed = true;
        }
    }

    /// <summary>Ends the thread after what was posted before, and waits for it. Any other thread.</summary>
    public void Dispose()
    {
        if (_wake.IsClosed)
        {
            return;
        }
        _stopping = true;
        Libc.Raise(_wake);
        if (_thread.IsAlive)
        {
            _thread.Join();
        }
        _wake.Dispose();
    }

    private void Run()
    {
        var entries = Array.Empty<Libc.PollEntry>();
        while (true)
        {
            var stopping = _stopping;
            RunPosted();
            if (stopping)
            {
                return;
            }
            _watches.RemoveAll(watch => watch.Removed);
            var watches = _watches.ToArray();
            if (entries.Length != watches.Length + 1)
            {
                entries = new Libc.PollEntry[watches.Length + 1];
            }
            Wait(entries, watches);
            foreach (var (watch, index) in watches.Select((watch, index) => (watch, index)))
            {
                if (entries[index + 1].Returned != 0 && !watch.Removed)
                {
                    Guard(watch.Ready, watch);
                }
            }
            Guard(() => Tick?.Invoke(), null);
        }
    }

    private void Wait(Libc.PollEntry[] entries, Watch[] watches)
    {
        entries[0] = Entry(_wake);
        for (var i = 0; i < watches.Length; i++)
        {
            entries[i + 1] = Entry(watches[i].Handle);
        }
        _ = Libc.Poll(entries, Beat);
        if (entries[0].Returned != 0)
        {
            Libc.Clear(_wake);
        }
    }

    private static Libc.PollEntry Entry(SafeFileHandle handle) =>
        new() { Descriptor = (int)handle.DangerousGetHandle(), Events = Libc.PollIn };

    private void RunPosted()
    {
        while (_posted.TryDequeue(out var action))
        {
            Guard(action, null);
        }
    }

    private void Guard(Action action, Watch? watch)
    {
        try
        {
            action();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            if (watch is not null)
            {
                watch.Removed = true;
            }
            _fault(error);
        }
    }
}
