namespace NativeHeap.Memory.Injection;

/// <summary>General registers of a stopped thread: struct user_regs_struct of x86-64, to be changed and written back.</summary>
internal sealed class ThreadRegisterSet
{
    /// <summary>Words of struct user_regs_struct.</summary>
    public const int Count = 27;

    private const int LongestRestartCode = 516;
    private const int RestartSystemCall = 219;

    /// <summary>The words, in the struct's order.</summary>
    public ulong[] Words { get; } = new ulong[Count];

    public ulong Rbp { set => Words[4] = value; }

    public ulong Rbx { get => Words[5]; set => Words[5] = value; }

    public long Rax { get => (long)Words[10]; set => Words[10] = (ulong)value; }

    public ulong Rdi => Words[14];

    public ulong Rsi => Words[13];

    /// <summary>orig_rax: the system call that the thread is in; -1: none.</summary>
    public long SystemCall { get => (long)Words[15]; set => Words[15] = (ulong)value; }

    public ulong Rip { get => Words[16]; set => Words[16] = value; }

    public ulong CodeSegment => Words[17];

    public ulong Flags { get => Words[18]; set => Words[18] = value; }

    public ulong Rsp { get => Words[19]; set => Words[19] = value; }

    /// <summary>What they will be when the thread runs its own code again: what the kernel does at its return to a thread
    /// that was taken out of a system call without a signal (arch_do_signal_or_restart), which it does not do for registers
    /// of ours. EINTR without a signal, as epoll_wait gives it to who was traced, is spared the program likewise.</summary>
    public ThreadRegisterSet Resumed()
    {
        var resumed = new ThreadRegisterSet();
        Words.CopyTo(resumed.Words, 0);
        if (SystemCall < 0)
        {
            return resumed;
        }

        const long eintr = -4, restartBlock = -LongestRestartCode;
        if (Rax is >= -514 and <= -512 || (Rax == eintr && IsInterruptedByTracing(SystemCall)))
        {
            resumed.Rax = SystemCall;
            resumed.Rip -= 2; // to the syscall instruction
        }
        else if (Rax == restartBlock)
        {
            resumed.Rax = RestartSystemCall;
            resumed.Rip -= 2;
        }

        resumed.SystemCall = -1;
        return resumed;
    }

    // signal(7), "Interruption of system calls and library functions by stop signals": those give EINTR without one.
    private static bool IsInterruptedByTracing(long systemCall) => systemCall is
        232 or 281 or 441 // epoll_wait, epoll_pwait, epoll_pwait2
        or 65 or 220      // semop, semtimedop
        or 128            // rt_sigtimedwait
        or 208 or 333;    // io_getevents, io_pgetevents
}
