using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Truth.Contexts;

/// <summary>Threads of every origin.</summary>
internal static unsafe class Threads
{
    private static readonly Native.Callback s_callback = _ => Probe.Here("native thread by a delegate");

    public static void Run(int round)
    {
        if (round % 4 != 0)
        {
            Pool(round);
            return;
        }
        var own = new Thread(() => Nested(round % 6)) { Name = "own" };
        own.Start();
        var small = new Thread(() => Probe.Here("thread with a small stack"), 256 * 1024);
        small.Start();
        Check(Native.RunThread(&OnNativeThread, round));
        Check(Native.RunThread(s_callback, round));
        own.Join();
        small.Join();
        Finalized();
        Timed();
    }

    private static void Pool(int round)
    {
        using var done = new CountdownEvent(3);
        ThreadPool.UnsafeQueueUserWorkItem(
            _ =>
            {
                Probe.Here("thread pool");
                done.Signal();
            },
            null);
        ThreadPool.QueueUserWorkItem(
            state =>
            {
                Probe.Here(state == round ? "thread pool with a context" : "");
                done.Signal();
            },
            round,
            preferLocal: false);
        using var signal = new AutoResetEvent(true);
        var registered = ThreadPool.RegisterWaitForSingleObject(
            signal,
            (_, _) =>
            {
                Probe.Here("registered wait");
                done.Signal();
            },
            null,
            Timeout.Infinite,
            executeOnlyOnce: true);
        Parallel.For(0, 4, _ => Probe.Here("Parallel.For"));
        done.Wait();
        registered.Unregister(null);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Nested(int depth)
    {
        if (depth == 0)
        {
            Probe.Here("own thread");
        }
        else
        {
            Nested(depth - 1);
        }
        GC.KeepAlive(s_callback);
    }

    [UnmanagedCallersOnly]
    private static void OnNativeThread(int argument) => Probe.Here("native thread");

    private static void Check(int error)
    {
        if (error != 0)
        {
            throw new InvalidOperationException($"no thread: {error}");
        }
    }

    private static void Finalized()
    {
        MakeGarbage();
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MakeGarbage() => _ = new Finalizable();

    private static void Timed()
    {
        using var rung = new ManualResetEventSlim();
        using var timer = new Timer(
            _ =>
            {
                Probe.Here("timer");
                rung.Set();
            },
            null,
            1,
            Timeout.Infinite);
        rung.Wait();
    }

    private sealed class Finalizable
    {
        ~Finalizable() => Probe.Here("finalizer");
    }
}
