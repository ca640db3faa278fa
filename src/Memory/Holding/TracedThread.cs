namespace NativeHeap.Memory.Holding;

/// <summary>Where a traced thread stands.</summary>
internal enum ThreadState
{
    /// <summary>It runs, or sleeps in the kernel.</summary>
    Running,

    /// <summary>It is stopped and goes on when continued.</summary>
    Stopped,

    /// <summary>It is stopped with its whole process by job control.</summary>
    Listening,

    /// <summary>It is stopped at its end, its memory whole.</summary>
    Exiting,
}

/// <summary>A thread that we trace. For the tracer's thread.</summary>
internal sealed class TracedThread(int tid, TracedProcess process)
{
    public int Tid { get; } = tid;

    public TracedProcess Process { get; } = process;

    public ThreadState State { get; set; }

    /// <summary>A signal that came while the thread was to stay stopped; it gets it when it goes on.</summary>
    public int PendingSignal { get; set; }

    public bool IsStopped => State != ThreadState.Running;
}

/// <summary>A process that we trace. For the tracer's thread.</summary>
internal sealed class TracedProcess(int pid, bool follows)
{
    public int Pid { get; } = pid;

    /// <summary>Whether it stays traced to its end, and what it forks, too.</summary>
    public bool Follows { get; } = follows;

    public Dictionary<int, TracedThread> Threads { get; } = [];

    /// <summary>Somebody wants it held; null: it runs.</summary>
    public PendingHold? Hold { get; set; }

    /// <summary>All its threads are about to end, and stop there.</summary>
    public bool IsEnding { get; set; }

    /// <summary>Its end was shown to those who want to know.</summary>
    public bool WasShown { get; set; }

    /// <summary>How it ends, as wait(2) would tell.</summary>
    public int EndStatus { get; set; }

    /// <summary>Environment.TickCount64 when the first thread reached the end.</summary>
    public long EndingSince { get; set; }
}

/// <summary>A hold that is asked for and not complete, or complete and not released.</summary>
internal sealed class PendingHold(long deadline)
{
    public TaskCompletionSource<IHeldProcess?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Environment.TickCount64 after which it is what it is.</summary>
    public long Deadline { get; } = deadline;

    public bool IsComplete { get; set; }
}
