using System.Runtime.InteropServices;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Injection;

/// <summary>
/// Whether a stopped thread may be made to load a library: not when it stands inside an allocator or the loader, whose
/// locks it may hold. Two kinds of threads surely do not: those that wait in a system call which neither of them makes, and
/// those that execute code of a module that is neither. A handler of a signal may have interrupted anything, so nobody
/// whose stack shows one is taken.
/// </summary>
internal static class ThreadJudge
{
    private const int MostStackBytes = 256 << 10;
    private const ulong UserCode64 = 0x33; // cs
    private const ulong RoomBelow = 2048;  // for a signal's frame, which may come before the call begins
    private const ulong RedZone = 128;

    /// <summary>Where a frame of that many bytes goes on a thread's stack.</summary>
    public static ulong FrameAt(ThreadRegisterSet registers, int bytes) =>
        (registers.Rsp - RedZone - (ulong)bytes) & ~63UL;

    /// <summary>Judges a stopped thread.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="registers">Its registers.</param>
    /// <param name="code">The process's code.</param>
    /// <param name="process">The process.</param>
    /// <param name="memory">Its memory.</param>
    public static bool MayCall(
        int tid, ThreadRegisterSet registers, TargetCode code, ProcessReader process, IMemoryReader memory)
    {
        if (registers.CodeSegment != UserCode64 || !StandsFree(registers, code, process) || IsInRestartableSequence(tid, memory))
        {
            return false;
        }

        var frame = FrameAt(registers, CallFrame.MostBytes);
        return code.Find(registers.Rsp) is { IsWritable: true, IsReadable: true } stack
            && frame - RoomBelow > stack.Start && frame < registers.Rsp
            && !ShowsHandlerOrCall(registers.Rsp, stack.End, code, memory);
    }

    /// <summary>How good a thread is to be tried, by the call it sleeps in: the lowest first.</summary>
    /// <param name="systemCall">Its system call; null: it runs.</param>
    public static int Rank(long? systemCall) => systemCall switch
    {
        null => 2,
        { } call when Waits(call) => 0,
        0 or 202 or 35 or 230 or 219 => 1,
        _ => 3,
    };

    private static bool StandsFree(ThreadRegisterSet registers, TargetCode code, ProcessReader process)
    {
        if (registers.SystemCall < 0)
        {
            return code.IsOrdinary(registers.Rip);
        }

        return code.MayCallKernel(registers.Rip) && registers.SystemCall switch
        {
            0 => IsFromOutside(process.ReadOpenFile(registers.Rdi)), // read
            202 => IsConditionWait(registers.Rsi),
            // nanosleep, clock_nanosleep, and what was taken up again (those, poll, a lock with a time limit): other
            // allocators spin with them.
            35 or 230 or 219 => !code.HasOwnAllocator,
            var call => Waits(call),
        };
    }

    // Calls that wait for the world outside. Neither ld.so nor malloc makes them.
    private static bool Waits(long systemCall) => systemCall is
        7 or 271                      // poll, ppoll
        or 23 or 270                  // select, pselect6
        or 232 or 281 or 441          // epoll_wait, epoll_pwait, epoll_pwait2
        or 43 or 288                  // accept, accept4
        or 45 or 47 or 299            // recvfrom, recvmsg, recvmmsg
        or 61 or 247                  // wait4, waitid
        or 128 or 34 or 130           // rt_sigtimedwait, pause, rt_sigsuspend
        or 208 or 333 or 426;         // io_getevents, io_pgetevents, io_uring_enter

    // The loader reads files, and nothing else.
    private static bool IsFromOutside(string? file) => file is not null
        && (file.StartsWith("pipe:", StringComparison.Ordinal) || file.StartsWith("socket:", StringComparison.Ordinal)
            || file.StartsWith("anon_inode:", StringComparison.Ordinal) || file.StartsWith("/dev/pts/", StringComparison.Ordinal)
            || file.StartsWith("/dev/tty", StringComparison.Ordinal));

    // Condition variables, semaphores and joins wait with a bit set, locks without one.
    private static bool IsConditionWait(ulong operation)
    {
        const ulong command = 0x7F, waitBitset = 9;
        return (operation & command) == waitBitset;
    }

    // There the kernel may have to send the thread back to an abort handler, and would not find it any more (rseq(2)).
    private static bool IsInRestartableSequence(int tid, IMemoryReader memory) =>
        Ptrace.RestartableSequences(tid) is var area and not 0
        && (!memory.TryReadWord(area + 8, out var sequence) || sequence != 0);

    // rt_sigframe begins with the address that the handler returns to; what a call of ours pushed leads into its code.
    private static bool ShowsHandlerOrCall(ulong from, ulong to, TargetCode code, IMemoryReader memory)
    {
        var words = new ulong[Math.Min(to - from, MostStackBytes) / sizeof(ulong)];
        var read = memory.Read(from & ~7UL, MemoryMarshal.AsBytes(words.AsSpan())) / sizeof(ulong);
        foreach (var word in words.AsSpan(0, read))
        {
            if (code.SignalReturns.Contains(word) || code.IsInCave(word))
            {
                return true;
            }
        }

        return false;
    }
}
