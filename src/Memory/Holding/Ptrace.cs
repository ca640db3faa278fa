using System.Runtime.InteropServices;

namespace NativeHeap.Memory.Holding;

/// <summary>ptrace(2) and its wait, for x86-64.</summary>
internal static unsafe partial class Ptrace
{
    public const int EventFork = 1;
    public const int EventVfork = 2;
    public const int EventClone = 3;
    public const int EventExec = 4;
    public const int EventExit = 6;
    public const int EventStop = 128;

    public const int Esrch = 3;
    public const int Eintr = 4;
    public const int Echild = 10;

    private const long SeizeRequest = 0x4206;
    private const long InterruptRequest = 0x4207;
    private const long ListenRequest = 0x4208;
    private const long ContinueRequest = 7;
    private const long SystemCallRequest = 24;
    private const long PokeRequest = 5; // PTRACE_POKEDATA
    private const long SequenceRequest = 0x420F; // PTRACE_GET_RSEQ_CONFIGURATION
    private const long SeccompFilterRequest = 0x420C; // PTRACE_SECCOMP_GET_FILTER
    private const long DetachRequest = 17;
    private const long GetRegisterSet = 0x4204;
    private const long SetRegisterSet = 0x4205;
    private const long GetEventMessage = 0x4201;
    private const nint GeneralRegisters = 1; // NT_PRSTATUS
    private const nint ExtendedState = 0x202; // NT_X86_XSTATE
    private const nint FloatingRegisters = 2; // NT_PRFPREG
    private const int WaitAll = 0x40000000; // __WALL
    private const int WaitNoThread = 0x20000000; // __WNOTHREAD: what other threads of ours wait for is not ours
    private const int MostExtendedState = 16 * 1024;
    private const int RegisterWords = 27; // struct user_regs_struct

    /// <summary>Options: every thread and process that a traced one makes is traced, too, and stops at its end.</summary>
    public const int FollowAll = 0x02 | 0x04 | 0x08 | 0x10 | 0x40;

    /// <summary>Options: system calls can be told from signals.</summary>
    public const int MarkSystemCalls = 0x01;

    /// <summary>Options: new threads are traced, too.</summary>
    public const int FollowThreads = 0x08;

    public static int Error => Marshal.GetLastPInvokeError();

    public static bool Seize(int tid, int options) => Call(SeizeRequest, tid, 0, options) == 0;

    public static bool Interrupt(int tid) => Call(InterruptRequest, tid, 0, 0) == 0;

    public static bool Listen(int tid) => Call(ListenRequest, tid, 0, 0) == 0;

    public static bool Continue(int tid, int signal) => Call(ContinueRequest, tid, 0, signal) == 0;

    public static bool Detach(int tid, int signal) => Call(DetachRequest, tid, 0, signal) == 0;

    public static ulong EventMessage(int tid)
    {
        ulong message = 0;
        return Call(GetEventMessage, tid, 0, (nint)(&message)) == 0 ? message : 0;
    }

    /// <summary>The system call that a stopped thread is in; -1: none.</summary>
    public static long SystemCall(int tid)
    {
        var words = stackalloc ulong[RegisterWords];
        return ReadSet(tid, GeneralRegisters, words, RegisterWords * sizeof(ulong)) > 0 ? (long)words[15] : -1;
    }

    /// <summary>Registers of a stopped thread; null when it is not stopped any more.</summary>
    public static ThreadRegisters? ReadRegisters(int tid)
    {
        const int systemCall = 15, rip = 16, rsp = 19, fsBase = 21;
        var general = stackalloc ulong[RegisterWords];
        if (ReadSet(tid, GeneralRegisters, general, RegisterWords * sizeof(ulong)) <= 0)
        {
            return null;
        }

        var vectors = new ulong[MostExtendedState / sizeof(ulong)];
        int bytes;
        fixed (ulong* start = vectors)
        {
            bytes = ReadSet(tid, ExtendedState, start, MostExtendedState);
            bytes = bytes > 0 ? bytes : ReadSet(tid, FloatingRegisters, start, MostExtendedState);
        }

        ulong[] words = [.. new ReadOnlySpan<ulong>(general, 16), .. vectors.AsSpan(0, Math.Max(bytes, 0) / sizeof(ulong))];
        return new ThreadRegisters(
            general[rsp], general[rip], general[fsBase], (long)general[systemCall] >= 0, words);
    }

    /// <summary>Stops at the beginning and the end of the next system call, too.</summary>
    public static bool ContinueToSystemCall(int tid, int signal) => Call(SystemCallRequest, tid, 0, signal) == 0;

    /// <summary>Copies struct user_regs_struct of a stopped thread.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="words">27 words.</param>
    public static bool ReadGeneral(int tid, Span<ulong> words)
    {
        fixed (ulong* start = words)
        {
            return ReadSet(tid, GeneralRegisters, start, RegisterWords * sizeof(ulong)) > 0;
        }
    }

    /// <summary>Sets struct user_regs_struct of a stopped thread, all at once.</summary>
    public static bool WriteGeneral(int tid, ReadOnlySpan<ulong> words)
    {
        fixed (ulong* start = words)
        {
            var vector = new Libc.Vector { Start = start, Bytes = RegisterWords * sizeof(ulong) };
            return Call(SetRegisterSet, tid, GeneralRegisters, (nint)(&vector)) == 0;
        }
    }

    /// <summary>Writes to the memory of a stopped thread's process, also where the process itself may not; a page that it
    /// shares with a file becomes its own.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="address">Where.</param>
    /// <param name="bytes">Whole words of eight.</param>
    public static bool Write(int tid, ulong address, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(long); bytes = bytes[sizeof(long)..], address += sizeof(long))
        {
            if (Call(PokeRequest, tid, (nint)address, (nint)MemoryMarshal.Read<long>(bytes)) != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The address of a stopped thread's struct rseq; 0: it has none, or the kernel (before 5.13) does not
    /// tell.</summary>
    public static ulong RestartableSequences(int tid)
    {
        var words = stackalloc ulong[3]; // struct ptrace_rseq_configuration
        return Call(SequenceRequest, tid, 24, (nint)words) > 0 ? words[0] : 0;
    }

    /// <summary>A seccomp filter of a stopped thread.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="index">0: the one that was installed last.</param>
    /// <param name="isLast">There are no more; else it may not be read.</param>
    /// <returns>Its program, struct sock_filter; null: none.</returns>
    public static byte[]? SeccompProgram(int tid, int index, out bool isLast)
    {
        const int noEntry = 2, instructionBytes = 8;
        var count = Call(SeccompFilterRequest, tid, index, 0);
        isLast = count < 0 && Error == noEntry;
        if (count is <= 0 or > ushort.MaxValue)
        {
            return null;
        }

        var program = new byte[count * instructionBytes];
        fixed (byte* start = program)
        {
            return Call(SeccompFilterRequest, tid, index, (nint)start) == count ? program : null;
        }
    }

    /// <summary>Waits for something to happen to what this thread traces.</summary>
    /// <returns>The thread it happened to; -1: see <see cref="Error"/>.</returns>
    public static int Wait(out int status)
    {
        int word = 0;
        var tid = WaitPid(-1, &word, WaitAll | WaitNoThread);
        status = word;
        return tid;
    }

    private static int ReadSet(int tid, nint kind, void* to, int bytes)
    {
        var vector = new Libc.Vector { Start = to, Bytes = (nuint)bytes };
        return Call(GetRegisterSet, tid, kind, (nint)(&vector)) == 0 ? (int)vector.Bytes : -1;
    }

    [LibraryImport("libc", EntryPoint = "ptrace", SetLastError = true)]
    private static partial long Call(long request, int tid, nint address, nint data);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitPid(int pid, int* status, int options);
}
