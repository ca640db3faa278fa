using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Holding;

/// <summary>
/// Holds processes by ptrace(2): at their end, whichever way they take there, or at any moment. It never writes to them,
/// every signal passes through, and when we die the kernel lets them go on as if nothing had been.
/// </summary>
/// <remarks>All requests of ptrace come from one thread, as the kernel wants it. Members may be called from any thread.
/// PTRACE_SEIZE (Linux 3.4) is used throughout: unlike PTRACE_ATTACH it sends no signal. Not for processes that were
/// started by <see cref="System.Diagnostics.Process"/>: it waits for them on a thread of its own, and so takes the news
/// that are meant for the tracer.</remarks>
public sealed partial class Tracer : IDisposable
{
    private const ulong TraceCapability = 1UL << 19;
    private const int MostRounds = 64; // of looking for threads that were made meanwhile
    private const int Sigtrap = 5;
    private const int NoThread = int.MaxValue; // beyond the largest number that a thread can have
    private const int SysExit = 60;
    private const int SysExitGroup = 231;
    private const int SysExecve = 59;
    private const int SysExecveat = 322;
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(2);

    private readonly ConcurrentQueue<Action> _commands = new();
    private readonly Dictionary<int, TracedThread> _threads = [];
    private readonly Dictionary<int, TracedProcess> _processes = [];
    private readonly HashSet<int> _early = []; // stopped before it was known whose they are
    private readonly ManualResetEventSlim _wanted = new();
    private readonly WakeSignal _wake = new();
    private readonly Thread _thread;
    private bool _stopping; // the tracer's thread's
    private volatile bool _isOver;

    /// <summary>A tracer of nobody.</summary>
    public Tracer()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "tracer" };
        _thread.Start();
    }

    /// <summary>A followed process is at its end. On the tracer's thread: must not wait.</summary>
    public event EventHandler<ProcessEndEventArgs>? Ending;

    /// <summary>Whether the system lets us trace anybody at all: a seccomp filter may not, nor the strictest scope of
    /// Yama.</summary>
    public static bool IsPossible =>
        RuntimeInformation.ProcessArchitecture == Architecture.X64
        && !Ptrace.Seize(NoThread, 0) && Ptrace.Error == Ptrace.Esrch;

    /// <summary>Whether we have the capability to trace and read whom we like, whatever they are (CAP_SYS_PTRACE).</summary>
    public static bool HasCapability =>
        new ProcessReader(Environment.ProcessId).ReadStatus()?.EffectiveCapabilities is { } own && (own & TraceCapability) != 0;

    /// <summary>Traces a process to its end, and whatever it forks.</summary>
    /// <param name="pid">In our pid namespace; all its threads are meant.</param>
    /// <returns>Null on success, else why not, in a few words.</returns>
    public string? Follow(int pid)
    {
        var done = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() => done.SetResult(Seize(pid, follows: true)));
        return done.Task.GetAwaiter().GetResult();
    }

    /// <summary>Stops all threads of a process, traced or not.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="patience">How long to wait for threads that do not come; they run on, and a note says so.</param>
    /// <param name="problem">Why it cannot be held; null on success.</param>
    public IHeldProcess? TryHold(int pid, TimeSpan patience, out string? problem)
    {
        var hold = new PendingHold(Environment.TickCount64 + (long)patience.TotalMilliseconds);
        string? refusal = null;
        Post(() =>
        {
            refusal = Begin(pid, hold);
            if (refusal is not null)
            {
                hold.Done.SetResult(null);
            }
        });
        var held = hold.Done.Task.GetAwaiter().GetResult();
        problem = held is null ? refusal ?? "the process has ended" : null;
        return held;
    }

    /// <summary>Lets everybody go.</summary>
    public void Dispose()
    {
        if (_thread.IsAlive)
        {
            Post(() => _stopping = true);
            _thread.Join();
        }

        _wake.Dispose();
        _wanted.Dispose();
    }

    private void Post(Action command)
    {
        _commands.Enqueue(command);
        if (_isOver)
        {
            RefuseCommands();
            return;
        }

        _wanted.Set();
        _wake.Interrupt(() => _commands.IsEmpty);
    }

    // Commands that come too late find nobody traced, and seize nobody.
    private void RefuseCommands()
    {
        while (_commands.TryDequeue(out var command))
        {
            lock (_commands)
            {
                command();
            }
        }
    }

    private void Run()
    {
        _wake.TakeThread();
        while (true)
        {
            _wanted.Reset();
            while (_commands.TryDequeue(out var command))
            {
                command();
            }

            if (_stopping)
            {
                break;
            }

            if (_threads.Count == 0)
            {
                _wanted.Wait();
                continue;
            }

            WaitOnce();
            LookAtDeadlines();
        }
        // With this thread everything it traces goes on, whatever state it was in (exit_ptrace of the kernel).
        Forget();
        _isOver = true;
        RefuseCommands();
    }

    private void WaitOnce()
    {
        _wake.SetAlarm(_processes.Values.Any(process => process.Hold is { IsComplete: false }
            || (process.IsEnding && !process.WasShown)));
        var tid = Ptrace.Wait(out var status);
        if (tid > 0)
        {
            Take(tid, status);
        }
        else if (Ptrace.Error == Ptrace.Echild)
        {
            Forget();
        }
    }

    // ---- what the kernel tells ----

    private void Take(int tid, int status)
    {
        if ((status & 0xFF) != 0x7F)
        {
            Gone(tid);
            return;
        }

        var signal = (status >> 8) & 0xFF;
        var what = status >> 16;
        if (!_threads.TryGetValue(tid, out var thread))
        {
            _early.Add(tid); // its maker's event comes yet
            return;
        }

        switch (what)
        {
            case Ptrace.EventFork or Ptrace.EventVfork or Ptrace.EventClone:
                Adopt(thread.Process, (int)Ptrace.EventMessage(tid));
                Proceed(thread, 0);
                break;
            case Ptrace.EventExec:
                Executed(thread, (int)Ptrace.EventMessage(tid));
                break;
            case Ptrace.EventExit:
                Exiting(thread);
                break;
            case Ptrace.EventStop when signal != Sigtrap:
                thread.State = ThreadState.Listening;
                Ptrace.Listen(tid);
                Check(thread.Process);
                break;
            case Ptrace.EventStop:
                Proceed(thread, 0);
                break;
            default:
                Proceed(thread, signal);
                break;
        }
    }

    // Goes on, or stays where a hold wants it.
    private void Proceed(TracedThread thread, int signal)
    {
        if (thread.Process.Hold is null)
        {
            thread.State = ThreadState.Running;
            Ptrace.Continue(thread.Tid, signal);
            return;
        }

        thread.State = ThreadState.Stopped;
        thread.PendingSignal = signal != 0 ? signal : thread.PendingSignal;
        Check(thread.Process);
    }

    private void Adopt(TracedProcess maker, int tid)
    {
        if (tid <= 0 || _threads.ContainsKey(tid))
        {
            return;
        }

        var process = maker;
        if (!File.Exists($"/proc/{maker.Pid}/task/{tid}/stat"))
        {
            process = new TracedProcess(tid, maker.Follows);
            _processes[tid] = process;
        }

        var thread = Add(process, tid);
        if (_early.Remove(tid))
        {
            Proceed(thread, 0);
        }
    }

    private TracedThread Add(TracedProcess process, int tid)
    {
        var thread = new TracedThread(tid, process);
        process.Threads[tid] = thread;
        _threads[tid] = thread;
        return thread;
    }

    // Whichever thread executed has the process's number now; all others are gone.
    private void Executed(TracedThread thread, int formerTid)
    {
        var process = thread.Process;
        foreach (var tid in process.Threads.Keys.Where(tid => tid != thread.Tid).ToList())
        {
            _threads.Remove(tid);
            process.Threads.Remove(tid);
        }

        _threads.Remove(formerTid);
        _threads[thread.Tid] = thread;
        process.IsEnding = false;
        process.WasShown = false;
        Proceed(thread, 0);
    }

    private void Exiting(TracedThread thread)
    {
        var process = thread.Process;
        thread.State = ThreadState.Exiting;
        var status = (int)Ptrace.EventMessage(thread.Tid);
        var alone = process.Threads.Values.All(other => other == thread || other.State == ThreadState.Exiting);
        if (!process.Follows || (Ptrace.SystemCall(thread.Tid) == SysExit && !alone && (status & 0x7F) == 0))
        {
            LeaveThread(thread);
            return;
        }

        if (!process.IsEnding)
        {
            process.IsEnding = true;
            process.EndingSince = Environment.TickCount64;
            process.EndStatus = status;
        }

        Check(process);
    }

    // A thread ends, its process does not.
    private void LeaveThread(TracedThread thread)
    {
        var process = thread.Process;
        _threads.Remove(thread.Tid);
        process.Threads.Remove(thread.Tid);
        Ptrace.Continue(thread.Tid, 0);
        Check(process);
    }

    private void Gone(int tid)
    {
        _early.Remove(tid);
        if (!_threads.Remove(tid, out var thread))
        {
            return;
        }

        var process = thread.Process;
        process.Threads.Remove(tid);
        if (process.Threads.Count == 0)
        {
            _processes.Remove(process.Pid);
            process.Hold?.Done.TrySetResult(null);
        }
        else
        {
            Check(process);
        }
    }

    // Nothing is left to wait for.
    private void Forget()
    {
        foreach (var process in _processes.Values)
        {
            process.Hold?.Done.TrySetResult(null);
        }

        _threads.Clear();
        _processes.Clear();
        _early.Clear();
    }
}
