using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Collect.Server;

/// <summary>System calls that the framework does not offer. Constants are those of Linux on x86-64; where aarch64 has others, of
/// both.</summary>
internal static unsafe partial class Libc
{
    public const int Eintr = 4;
    public const int Eagain = 11;
    public const short PollIn = 1;

    private const uint MemfdCloseOnExecAndSealable = 3;
    private const int SetDescriptorFlags = 2;
    private const int AddSeals = 1033;
    private const int SealShrinkGrow = 2 | 4;
    private const int SealWrite = 8;
    private const int MapFixedPrivateAnonymous = 0x10 | 0x02 | 0x20 | 0x4000;
    private const int MapFixedShared = 0x10 | 0x01;
    private const int ProtectReadWrite = 3;
    private const int MapShared = 1;
    private const int SocketCloseOnExecNonBlocking = 0x80000 | 0x800;
    private const int UnixFamily = 1;
    private const uint OwnerReadWrite = 0x180; // 0600
    private const int LockExclusiveAtOnce = 2 | 4; // LOCK_EX, LOCK_NB
    private const int Stream = 1;
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;
    private const int PeerPidfd = 77; // Linux 6.5
    private const int NoSignal = 0x4000;
    private const int DontWait = 0x40;
    private const int Rights = 1;
    private const int Enosys = 38;
    private const uint FutexWord32 = 2; // FUTEX2_SIZE_U32, shared between processes
    private const int ClockMonotonic = 1;
    private const int ClockBootTime = 7;
    private const int ClockThread = 3; // CLOCK_THREAD_CPUTIME_ID
    private const long SysFutexWaitv = 449;
    private const long SysPidfdSendSignal = 424;
    private const long SysPidfdOpen = 434;

    private static readonly bool s_isArm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly long s_gettid = s_isArm64 ? 178 : 186;
    private static readonly long s_tgkill = s_isArm64 ? 131 : 234;
    private static readonly long s_setRobustList = s_isArm64 ? 99 : 273;
    private static readonly long s_getRobustList = s_isArm64 ? 100 : 274;

    // O_RDWR, O_CREAT, O_NOFOLLOW, O_CLOEXEC
    private static readonly int s_readWriteCreatePrivately = 0x2 | 0x40 | (s_isArm64 ? 0x8000 : 0x20000) | 0x80000;

    [StructLayout(LayoutKind.Sequential)]
    public struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    /// <summary>struct ucred: who is at the other end of a Unix socket, as it was when it connected.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Credentials
    {
        public int Pid;
        public uint UserId;
        public uint GroupId;
    }

    // struct robust_list_head of linux/futex.h: the list's next pointer, the distance from an entry to its futex word,
    // and an entry that is being taken.
    [StructLayout(LayoutKind.Sequential)]
    public struct RobustList
    {
        public void* Next;
        public long Offset;
        public void* Pending;
    }

    // struct futex_waitv of linux/futex.h.
    [StructLayout(LayoutKind.Sequential)]
    private struct FutexWait
    {
        public ulong Value;
        public ulong Word;
        public uint Flags;
        public uint Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Message
    {
        public void* Name;
        public uint NameBytes;
        public Vector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlBytes;
        public int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Vector
    {
        public void* Start;
        public nuint Bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct OneDescriptor
    {
        public nuint Bytes;
        public int Level;
        public int Kind;
        public int Descriptor;
        public int Padding;
    }

    /// <summary>Error number of the last failed call here.</summary>
    public static int Error => Marshal.GetLastPInvokeError();

    /// <summary>The system's words for <see cref="Error"/>.</summary>
    public static string ErrorText => Marshal.GetLastPInvokeErrorMessage();

    /// <summary>Sends a signal to one thread (tgkill(2)).</summary>
    public static void SignalThread(int pid, int tid, int signal) => _ = SystemCall3(s_tgkill, pid, tid, signal);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long SystemCall3(long number, long first, long second, long third);

    /// <summary>An invalid handle on failure.</summary>
    public static SafeFileHandle CreateMemory(string name) => Handle(MemfdCreate(name, MemfdCloseOnExecAndSealable));

    public static bool SealSize(SafeFileHandle memory) => Fcntl(memory, AddSeals, SealShrinkGrow) == 0;

    /// <summary>Succeeds when no process has the memory mapped for writing.</summary>
    public static bool SealContents(SafeFileHandle memory) => Fcntl(memory, AddSeals, SealWrite) == 0;

    /// <summary>Keeps a descriptor from programs we execute.</summary>
    public static bool CloseOnExec(SafeFileHandle file) => Fcntl(file, SetDescriptorFlags, 1) == 0;

    public static bool Resize(SafeFileHandle file, ulong bytes) => Ftruncate(file, (long)bytes) == 0;

    /// <summary>Null on failure.</summary>
    public static byte* MapWhole(SafeFileHandle memory, ulong bytes)
    {
        var start = Mmap(null, (nuint)bytes, ProtectReadWrite, MapShared, memory, 0);
        return start == (void*)-1 ? null : (byte*)start;
    }

    /// <summary>Maps part of a file; null on failure.</summary>
    public static byte* MapPart(SafeFileHandle memory, ulong offset, ulong bytes)
    {
        var start = Mmap(null, (nuint)bytes, ProtectReadWrite, MapShared, memory, (long)offset);
        return start == (void*)-1 ? null : (byte*)start;
    }

    /// <summary>Puts private memory in a mapping's place, so that its addresses stay ours and can be written.</summary>
    public static bool Cover(byte* start, ulong bytes) =>
        MmapPrivate(start, (nuint)bytes, ProtectReadWrite, MapFixedPrivateAnonymous, -1, 0) == start;

    /// <summary>Puts the memory back where it was before <see cref="Cover"/>.</summary>
    public static bool Uncover(byte* start, SafeFileHandle memory, ulong bytes) =>
        Mmap(start, (nuint)bytes, ProtectReadWrite, MapFixedShared, memory, 0) == start;

    public static void Unmap(byte* start, ulong bytes) => _ = Munmap(start, (nuint)bytes);

    /// <summary>A listening socket at <paramref name="path"/> that only its owner may connect to, or an invalid handle.</summary>
    public static SafeFileHandle Listen(string path, int backlog)
    {
        var handle = Handle(Socket(UnixFamily, Stream | SocketCloseOnExecNonBlocking, 0));
        var address = Address(path);
        if (handle.IsInvalid)
        {
            return handle;
        }
        fixed (byte* bytes = address)
        {
            // Linux gives the file the mode of the socket (unix_bind): there is no moment with another.
            if (ChangeMode(handle, OwnerReadWrite) == 0 && Bind(handle, bytes, (uint)address.Length) == 0 && ListenOn(handle, backlog) == 0)
            {
                return handle;
            }
        }
        var error = Error;
        handle.Dispose();
        Marshal.SetLastPInvokeError(error);
        return Handle(-1);
    }

    /// <summary>A connected blocking socket, or an invalid handle.</summary>
    public static SafeFileHandle Connect(string path)
    {
        var handle = Handle(Socket(UnixFamily, Stream | 0x80000, 0));
        var address = Address(path);
        if (handle.IsInvalid)
        {
            return handle;
        }
        fixed (byte* bytes = address)
        {
            if (ConnectTo(handle, bytes, (uint)address.Length) == 0)
            {
                return handle;
            }
        }
        var error = Error;
        handle.Dispose();
        Marshal.SetLastPInvokeError(error);
        return Handle(-1);
    }

    public static SafeFileHandle Accept(SafeFileHandle listener) =>
        Handle(Accept4(listener, null, null, SocketCloseOnExecNonBlocking));

    public static bool TryGetCredentials(SafeFileHandle socket, out Credentials credentials)
    {
        credentials = default;
        var bytes = (uint)sizeof(Credentials);
        fixed (Credentials* place = &credentials)
        {
            return Getsockopt(socket, SocketLevel, PeerCredentials, place, &bytes) == 0;
        }
    }

    /// <summary>A pidfd of the process that connected: free of races with the reuse of its pid. Needs Linux 6.5, else
    /// an invalid handle.</summary>
    public static SafeFileHandle GetPeerPidfd(SafeFileHandle socket)
    {
        int descriptor = -1;
        uint bytes = sizeof(int);
        return Handle(Getsockopt(socket, SocketLevel, PeerPidfd, &descriptor, &bytes) == 0 ? descriptor : -1);
    }

    public static SafeFileHandle OpenProcess(int pid) => Handle((int)Syscall(SysPidfdOpen, pid, 0, 0, 0));

    public static void Kill(SafeFileHandle process, int signal) =>
        _ = Syscall(SysPidfdSendSignal, process.DangerousGetHandle(), signal, 0, 0);

    public static int CurrentThread => (int)Syscall(s_gettid, 0, 0, 0, 0);

    public static bool SetRobustList(RobustList* list) => Syscall(s_setRobustList, (nint)list, sizeof(RobustList), 0, 0) == 0;

    public static RobustList* GetRobustList()
    {
        RobustList* list;
        nuint bytes;
        return Syscall(s_getRobustList, 0, (nint)(&list), (nint)(&bytes), 0) == 0 ? list : null;
    }

    /// <summary>Bytes read, 0 at the end, or -1.</summary>
    public static int Receive(SafeFileHandle socket, Span<byte> to)
    {
        fixed (byte* start = to)
        {
            return (int)Recv(socket, start, (nuint)to.Length, 0);
        }
    }

    /// <summary>Bytes sent, or -1; never raises SIGPIPE and never waits for a slow reader.</summary>
    public static int Send(SafeFileHandle socket, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            return (int)SendTo(socket, start, (nuint)bytes.Length, NoSignal | DontWait, null, 0);
        }
    }

    /// <summary>As <see cref="Send(SafeFileHandle,ReadOnlySpan{byte})"/>, with a descriptor attached (SCM_RIGHTS, unix(7)).</summary>
    public static int Send(SafeFileHandle socket, ReadOnlySpan<byte> bytes, SafeFileHandle attached)
    {
        var held = false;
        try
        {
            attached.DangerousAddRef(ref held);
            var control = new OneDescriptor
            {
                Bytes = 20, // CMSG_LEN(sizeof(int))
                Level = SocketLevel,
                Kind = Rights,
                Descriptor = (int)attached.DangerousGetHandle(),
            };
            fixed (byte* start = bytes)
            {
                var vector = new Vector { Start = start, Bytes = (nuint)bytes.Length };
                var message = new Message
                {
                    Vectors = &vector,
                    VectorCount = 1,
                    Control = &control,
                    ControlBytes = (nuint)sizeof(OneDescriptor),
                };
                return (int)Sendmsg(socket, &message, NoSignal | DontWait);
            }
        }
        finally
        {
            if (held)
            {
                attached.DangerousRelease();
            }
        }
    }

    public static int Poll(Span<PollEntry> entries, int milliseconds)
    {
        fixed (PollEntry* start = entries)
        {
            return PollAll(start, (nuint)entries.Length, milliseconds);
        }
    }

    /// <summary>Waits until a process has ended.</summary>
    /// <param name="process">A pidfd, which can be read from then on.</param>
    /// <param name="milliseconds">At most so long; -1: as long as it lives.</param>
    public static void WaitForEnd(SafeFileHandle process, int milliseconds = -1)
    {
        Span<PollEntry> entry = [new PollEntry { Descriptor = (int)process.DangerousGetHandle(), Events = PollIn }];
        while (Poll(entry, milliseconds) < 0 && Error == Eintr)
        {
        }
    }

    public static SafeFileHandle CreateEvent() => Handle(Eventfd(0, SocketCloseOnExecNonBlocking));

    public static void Raise(SafeFileHandle raised)
    {
        ulong one = 1;
        _ = Write(raised, &one, sizeof(ulong));
    }

    public static void Clear(SafeFileHandle raised)
    {
        ulong count;
        _ = Read(raised, &count, sizeof(ulong));
    }

    /// <summary>A new folder of mode 0700; null on failure.</summary>
    /// <param name="template">Ends in XXXXXX.</param>
    public static string? MakeFolder(string template)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(template + "\0");
        fixed (byte* start = bytes)
        {
            return Mkdtemp(start) == null ? null : System.Text.Encoding.UTF8.GetString(bytes, 0, bytes.Length - 1);
        }
    }

    /// <summary>Gives the calling thread the nice value -10 where that is permitted (root, CAP_SYS_NICE, RLIMIT_NICE); else
    /// it keeps its own. On Linux a nice value is a thread's (setpriority(2)).</summary>
    public static void PreferThisThread() => _ = SetPriority(which: 0, who: 0, nice: -10);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int nice);

    [LibraryImport("libc", EntryPoint = "getppid")]
    public static partial int GetParentPid();

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint GetUserId();

    /// <summary>Waits until one of some shared futex words is woken or changed (futex_waitv, Linux 5.16).</summary>
    /// <param name="words">The first is waited for while it is 0, the others while they are <paramref name="expected"/>.</param>
    /// <param name="expected">See there.</param>
    /// <param name="milliseconds">Longest wait.</param>
    /// <returns>False when the kernel has no such call.</returns>
    public static bool WaitForAny(ReadOnlySpan<nint> words, uint expected, int milliseconds)
    {
        var waits = stackalloc FutexWait[words.Length];
        for (var i = 0; i < words.Length; i++)
        {
            waits[i] = new FutexWait { Value = i == 0 ? 0 : expected, Word = (ulong)words[i], Flags = FutexWord32 };
        }
        var until = (long)Heartbeat.Clock() + (milliseconds * 1_000_000L);
        var time = stackalloc long[2] { until / 1_000_000_000, until % 1_000_000_000 };
        return Waitv(SysFutexWaitv, waits, (uint)words.Length, 0, time, ClockMonotonic) >= 0 || Error != Enosys;
    }

    /// <summary>Opens a file of mode 0600, a new one if there is none, never through a link; an invalid handle on
    /// failure.</summary>
    public static SafeFileHandle OpenPrivate(string path) =>
        Handle(OpenWithMode(path, s_readWriteCreatePrivately, OwnerReadWrite));

    /// <summary>Locks a file until it is closed (flock(2)); false when another has it.</summary>
    public static bool TryLock(SafeFileHandle file) => Flock(file, LockExclusiveAtOnce) == 0;

    /// <summary>Takes a name away.</summary>
    public static bool Unlink(string path) => UnlinkPath(path) == 0;

    /// <summary>Whether a socket is at a path, not through a link.</summary>
    public static bool IsSocket(string path)
    {
        const ushort TypeMask = 0xF000, Socket = 0xC000;
        const int NoFollow = 0x100;
        Span<byte> status = stackalloc byte[256]; // struct statx
        fixed (byte* start = status)
        {
            return Statx(-100, path, NoFollow, 1, start) == 0
                && (*(ushort*)(start + 28) & TypeMask) == Socket; // stx_mode
        }
    }

    /// <summary>Redirects a descriptor to /dev/null.</summary>
    public static void Silence(int descriptor)
    {
        using var empty = Handle(Open("/dev/null", 0x80002));
        if (!empty.IsInvalid)
        {
            _ = Dup2(empty, descriptor);
        }
    }

    private static SafeFileHandle Handle(int descriptor) => new(descriptor, ownsHandle: true);

    // struct sockaddr_un; the path with its final 0 has at most 108 bytes.
    private static byte[] Address(string path)
    {
        var name = System.Text.Encoding.UTF8.GetBytes(path);
        var address = new byte[2 + Math.Min(name.Length, 107) + 1];
        address[0] = UnixFamily;
        name.AsSpan(0, address.Length - 3).CopyTo(address.AsSpan(2));
        return address;
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemfdCreate(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle file, int command, int value);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int Ftruncate(SafeFileHandle file, long bytes);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Mmap(void* at, nuint bytes, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* MmapPrivate(void* at, nuint bytes, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(void* start, nuint bytes);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int kind, int protocol);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    private static partial int ChangeMode(SafeFileHandle file, uint mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnlinkPath(string path);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint wanted, byte* status);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenWithMode(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(SafeFileHandle socket, byte* address, uint bytes);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int ListenOn(SafeFileHandle socket, int backlog);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int ConnectTo(SafeFileHandle socket, byte* address, uint bytes);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept4(SafeFileHandle socket, void* address, uint* bytes, int flags);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static partial int Getsockopt(SafeFileHandle socket, int level, int option, void* value, uint* bytes);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint Recv(SafeFileHandle socket, byte* to, nuint bytes, int flags);

    [LibraryImport("libc", EntryPoint = "sendto", SetLastError = true)]
    private static partial nint SendTo(
        SafeFileHandle socket, byte* from, nuint bytes, int flags, void* address, uint addressBytes);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint Sendmsg(SafeFileHandle socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollAll(PollEntry* entries, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int Eventfd(uint count, int flags);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(SafeFileHandle file, void* from, nuint bytes);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(SafeFileHandle file, void* to, nuint bytes);

    [LibraryImport("libc", EntryPoint = "mkdtemp", SetLastError = true)]
    private static partial byte* Mkdtemp(byte* template);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Dup2(SafeFileHandle from, int to);

    /// <summary>CLOCK_BOOTTIME in nanoseconds: what the start times of processes count in.</summary>
    public static ulong BootClock()
    {
        var time = stackalloc long[2];
        return ClockGettime(ClockBootTime, time) == 0 ? ((ulong)time[0] * 1_000_000_000) + (ulong)time[1] : 0;
    }

    /// <summary>Processor time of the calling thread, nanoseconds.</summary>
    public static ulong ThreadClock()
    {
        var time = stackalloc long[2];
        return ClockGettime(ClockThread, time) == 0 ? ((ulong)time[0] * 1_000_000_000) + (ulong)time[1] : 0;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGettime(int clock, long* time);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Waitv(
        long number, FutexWait* waits, uint count, uint flags, long* time, int clock);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall(long number, nint first, nint second, nint third, nint fourth);
}
