using System.Runtime.InteropServices;

namespace NativeHeap.Memory.Holding;

/// <summary>
/// Gets a thread of ours out of waitpid(2), which nothing but a signal with a handler does. The handler is a function of
/// the C library that changes nothing: managed code may not run there.
/// </summary>
internal sealed unsafe partial class WakeSignal : IDisposable
{
    private const int Signal = 50; // a real-time signal that neither .NET nor the C library uses in our process
    private const int AlarmMs = 20;
    private const int SigactionBytes = 152; // struct sigaction: handler, mask of 128 bytes, flags, restorer
    private static readonly bool s_isReady = Prepare();

    private readonly Timer _timer;
    private volatile int _tid;
    private bool _alarm;

    public WakeSignal()
    {
        _timer = new Timer(_ => Send());
    }

    /// <summary>The calling thread is the one to wake.</summary>
    public void TakeThread() => _tid = s_isReady ? (int)GetTid(186) : 0;

    /// <summary>Wakes the thread until it has seen what it was woken for: it may be just about to wait.</summary>
    public void Interrupt(Func<bool> wasSeen)
    {
        for (var wait = 0; !wasSeen(); wait = Math.Min(wait + 1, 5))
        {
            Send();
            Thread.Sleep(wait);
        }
    }

    /// <summary>Wakes the thread again and again, or stops doing so.</summary>
    public void SetAlarm(bool on)
    {
        if (on != _alarm)
        {
            _alarm = on;
            _timer.Change(on ? AlarmMs : Timeout.Infinite, on ? AlarmMs : Timeout.Infinite);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Send()
    {
        if (_tid is var tid and not 0)
        {
            Kill(234, Environment.ProcessId, tid, Signal);
        }
    }

    private static bool Prepare()
    {
        var action = stackalloc byte[SigactionBytes];
        new Span<byte>(action, SigactionBytes).Clear();
        *(nint*)action = NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "abs");
        return Sigaction(Signal, action, null) == 0;
    }

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    private static partial int Sigaction(int signal, byte* action, byte* old);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long GetTid(long number);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long Kill(long number, long pid, long tid, long signal);
}
