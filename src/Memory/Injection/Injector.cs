using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Injection;

/// <summary>
/// Has one thread of another process load a library and call a function of it, by ptrace(2) on x86-64, and no matter what
/// that thread was doing: it goes on afterwards as if nothing had been. The other threads run all the time.
/// </summary>
/// <remarks>
/// The thread gets a program that it ends by itself (<see cref="CallCode"/>), in one step that changes all its registers at
/// once. Before that step nothing is changed but bytes that nobody uses; after it nobody is needed any more: who started it
/// may be killed at any moment. What stays in the process is a few hundred bytes behind the end of a code segment.
/// </remarks>
public sealed class Injector
{
    private const int MostErrorText = 512;
    private static readonly TimeSpan StopPatience = TimeSpan.FromMilliseconds(100);

    private readonly int _pid;
    private readonly ProcessReader _reader;
    private readonly ProcessMemory _memory;
    private readonly WakeSignal _wake;
    private readonly HashSet<int> _pending = []; // traced, and did not stop when it was their turn
    private TimeSpan _longestStop;

    private Injector(int pid, ProcessMemory memory, WakeSignal wake)
    {
        _pid = pid;
        _reader = new ProcessReader(pid);
        _memory = memory;
        _wake = wake;
    }

    /// <summary>Has the call made. Blocks; any thread.</summary>
    /// <param name="pid">A process that this one may trace, in our pid namespace.</param>
    /// <param name="call">What is to be called.</param>
    /// <param name="choosing">How long to look for a thread that can make it.</param>
    /// <param name="calling">How long to wait for its return.</param>
    /// <param name="cancellation">Ends the search for a thread; a call that has begun is waited for.</param>
    public static InjectionResult Call(
        int pid, InjectedCall call, TimeSpan choosing, TimeSpan calling, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        InjectionResult? result = null;
        // All requests of ptrace come from one thread, and with its end everything that it traces is let go.
        var thread = new Thread(() =>
        {
            using var memory = new ProcessMemory(pid);
            using var wake = new WakeSignal();
            wake.TakeThread();
            wake.SetAlarm(true);
            result = new Injector(pid, memory, wake).Run(call, choosing, calling, cancellation);
        })
        {
            IsBackground = true,
            Name = "injector",
        };
        thread.Start();
        thread.Join();
        return result!;
    }

    private InjectionResult Run(InjectedCall call, TimeSpan choosing, TimeSpan calling, CancellationToken cancellation)
    {
        if (!CallFrame.IsPossible)
        {
            return Result(InjectionOutcome.Refused, "this processor has no XSAVE");
        }

        if (ReadCode(out var problem) is not { } code)
        {
            return Result(InjectionOutcome.Refused, problem);
        }

        Rehearse(code, call);
        var clock = Stopwatch.StartNew();
        for (var pause = 1; ; pause = Math.Min(pause * 2, 10))
        {
            var tids = (_reader.ReadThreads() ?? [])
                .Select(tid => (Tid: tid, Rank: ThreadJudge.Rank(_reader.ReadSystemCall(tid))))
                .OrderBy(thread => thread.Rank).Select(thread => thread.Tid).ToList();
            if (tids.Count == 0)
            {
                return Result(InjectionOutcome.Ended, "it has ended");
            }

            foreach (var tid in tids)
            {
                if (Try(tid, code, call, calling) is { } result)
                {
                    return result;
                }

                if (clock.Elapsed > choosing || cancellation.IsCancellationRequested)
                {
                    return Result(
                        InjectionOutcome.Refused,
                        "every thread of it stands in the allocator, in the loader, or in a lock that may be theirs; try again");
                }
            }

            Thread.Sleep(pause); // threads go on meanwhile, and libraries may be loaded
            if (_reader.ReadMappings() is { } now && IsOtherCode(code.Mappings, now))
            {
                code = ReadCode(out problem);
                if (code is null)
                {
                    return Result(InjectionOutcome.Refused, problem);
                }
            }
        }
    }

    private static bool IsOtherCode(IReadOnlyList<MemoryMapping> before, IReadOnlyList<MemoryMapping> now) =>
        !before.Where(mapping => mapping.IsExecutable).SequenceEqual(now.Where(mapping => mapping.IsExecutable));

    // Nobody shall stand still while our own code is compiled and linked, which it is when it runs for the first time.
    private void Rehearse(TargetCode code, InjectedCall call)
    {
        const int nobody = int.MaxValue;
        var registers = new ThreadRegisterSet { SystemCall = 232, Rax = -4 };
        registers.Words[17] = 0x33;
        registers.Rip = code.Functions!.ErrorNumber;
        registers.Rsp = code.Mappings.FirstOrDefault(mapping => mapping.Path == "[stack]")?.End - 64 ?? 0;
        _ = ThreadJudge.MayCall(nobody, registers, code, _reader, _memory);
        Ptrace.Interrupt(nobody);
        Ptrace.ReadGeneral(nobody, registers.Words);
        Start(nobody, registers, code, call, out _);
        Ptrace.WriteGeneral(nobody, registers.Words);
        Ptrace.ContinueToSystemCall(nobody, 0);
        WaitForStop(nobody, TimeSpan.Zero);
        _ = IsSystemCall(0) || IsGroupStop(0);
        LetGo(nobody, registers, SignalToPass(0), Stopwatch.GetTimestamp());
        _longestStop = TimeSpan.Zero;
    }

    private TargetCode? ReadCode(out string? problem)
    {
        problem = _reader.ReadMappings() is { Count: > 0 } ? null : "it has ended, or may not be looked at";
        if (problem is not null)
        {
            return null;
        }

        var code = TargetCode.Read(_memory, _reader.ReadMappings()!);
        problem = code.Functions is null ? "its C library has no dlopen that is known"
            : code.Cave == 0 ? "none of its libraries leaves room for the few bytes that are needed"
            : null;
        return problem is null ? code : null;
    }

    // Null: not this thread, not now.
    private InjectionResult? Try(int tid, TargetCode code, InjectedCall call, TimeSpan calling)
    {
        if (!Ptrace.Seize(tid, Ptrace.MarkSystemCalls))
        {
            return Ptrace.Error == Ptrace.Esrch || _pending.Contains(tid)
                ? null
                : Result(InjectionOutcome.Refused, Marshal.GetPInvokeErrorMessage(Ptrace.Error));
        }

        Ptrace.Interrupt(tid);
        if (WaitForStop(tid, StopPatience) is not { } status)
        {
            _pending.Add(tid); // deep in the kernel, or gone; traced until this thread ends, and else as it was
            return null;
        }

        var stop = Stopwatch.GetTimestamp();
        var signal = SignalToPass(status);
        var registers = new ThreadRegisterSet();
        if (!IsInterrupted(status) || !Ptrace.ReadGeneral(tid, registers.Words)
            || !ThreadJudge.MayCall(tid, registers, code, _reader, _memory))
        {
            LetGo(tid, registers, signal, stop);
            return null;
        }

        var problem = Start(tid, registers, code, call, out var frame);
        if (problem is not null)
        {
            LetGo(tid, registers, signal, stop);
            return Result(InjectionOutcome.Refused, problem);
        }

        return Attend(tid, code, frame, stop, calling);
    }

    // Writes what the thread needs, and sends it on its way: the last step is one request that sets every register.
    private static string? Start(int tid, ThreadRegisterSet registers, TargetCode code, InjectedCall call, out ulong frame)
    {
        const ulong trapAndDirection = 0x100 | 0x400;
        var resumed = registers.Resumed();
        frame = ThreadJudge.FrameAt(registers, CallFrame.MostBytes);
        var bytes = CallFrame.Make(frame, resumed.Words, code.Functions!, call);
        if (bytes.Length > CallFrame.MostBytes)
        {
            return "the names are too long";
        }

        if (!Ptrace.Write(tid, frame, bytes) || !Ptrace.Write(tid, code.Cave, CallCode.Bytes))
        {
            return $"its memory cannot be written ({Marshal.GetPInvokeErrorMessage(Ptrace.Error)})";
        }

        var start = new ThreadRegisterSet();
        registers.Words.CopyTo(start.Words, 0);
        start.Rip = code.Cave;
        start.Rsp = frame;
        start.Rax = 0;
        start.SystemCall = -1; // nothing for the kernel to restart: the frame has that already
        start.Flags &= ~trapAndDirection;
        return Ptrace.WriteGeneral(tid, start.Words)
            ? null
            : $"its registers cannot be set ({Marshal.GetPInvokeErrorMessage(Ptrace.Error)})";
    }

    // The thread is on its way. We only watch, and take a fault that would be ours.
    private InjectionResult Attend(int tid, TargetCode code, ulong frame, long stop, TimeSpan calling)
    {
        var clock = Stopwatch.StartNew();
        var signal = 0;
        var isFaulted = false;
        while (true)
        {
            Ptrace.ContinueToSystemCall(tid, signal);
            NoteStop(stop);
            if (WaitForStop(tid, calling - clock.Elapsed) is not { } status)
            {
                return GiveUp(tid, clock.Elapsed);
            }

            stop = Stopwatch.GetTimestamp();
            signal = 0;
            if (IsSystemCall(status))
            {
                var registers = new ThreadRegisterSet();
                Ptrace.ReadGeneral(tid, registers.Words);
                var at = registers.Rip - code.Cave;
                if (at == CallCode.Mapped && registers.Rax is < 0 and > -4096 and not -38) // -ENOSYS: it begins
                {
                    Ptrace.Detach(tid, 0);
                    NoteStop(stop);
                    return Result(InjectionOutcome.Refused, "it has no memory for a stack", clock.Elapsed);
                }

                if (at == CallCode.Meeting)
                {
                    var result = ReadResult(frame, isFaulted, clock.Elapsed);
                    Ptrace.Detach(tid, 0);
                    NoteStop(stop);
                    return result with { LongestStop = _longestStop };
                }
            }
            else if (IsGroupStop(status))
            {
                Ptrace.Listen(tid); // it stays stopped, as whoever stopped it wants
                if (WaitForStop(tid, calling - clock.Elapsed) is null)
                {
                    return GiveUp(tid, clock.Elapsed);
                }
            }
            else if (!IsInterrupted(status))
            {
                signal = (status >> 8) & 0xFF;
                if (IsFault(signal) && !isFaulted && BreakOff(tid, code, frame))
                {
                    isFaulted = true;
                    signal = 0;
                }
            }
        }
    }

    // A fault inside what we had called: the thread goes on where everything is put back.
    private bool BreakOff(int tid, TargetCode code, ulong frame)
    {
        var registers = new ThreadRegisterSet();
        if (!_memory.TryReadWord(frame + CallFrame.Stack, out var stack)
            || !Ptrace.ReadGeneral(tid, registers.Words)
            || registers.Rsp < stack || registers.Rsp > stack + CallFrame.StackBytes)
        {
            return false; // not on our stack: the program's own
        }

        registers.Rip = code.Cave + CallCode.Done;
        registers.Rbx = frame;
        registers.Rbp = stack;
        registers.Rsp = stack + CallFrame.StackBytes;
        registers.SystemCall = -1;
        return Ptrace.WriteGeneral(tid, registers.Words);
    }

    private InjectionResult GiveUp(int tid, TimeSpan busy)
    {
        if (!Directory.Exists($"/proc/{_pid}/task/{tid}"))
        {
            return Result(InjectionOutcome.Ended, "it has ended", busy);
        }

        Ptrace.Interrupt(tid);
        if (WaitForStop(tid, StopPatience) is { } status)
        {
            Ptrace.Detach(tid, SignalToPass(status));
        }

        return Result(InjectionOutcome.Late, "the call has not returned yet; the thread ends it by itself", busy);
    }

    private InjectionResult ReadResult(ulong frame, bool isFaulted, TimeSpan busy)
    {
        var words = new ulong[CallFrame.MostBytes / 2 / sizeof(ulong)];
        _memory.ReadWords(frame, words);
        if (isFaulted)
        {
            return Result(InjectionOutcome.Faulted, "the call ran into a fault, which was kept from the process", busy);
        }

        if (words[CallFrame.Called / sizeof(ulong)] >> 32 != 0)
        {
            return new InjectionResult(
                InjectionOutcome.Returned, (int)words[CallFrame.Result / sizeof(ulong)], null, _longestStop, busy);
        }

        return Result(InjectionOutcome.NotLoaded, ReadText(words[CallFrame.ErrorText / sizeof(ulong)]), busy);
    }

    private string ReadText(ulong address)
    {
        Span<byte> text = stackalloc byte[MostErrorText];
        text = text[..(address == 0 ? 0 : _memory.Read(address, text))];
        var end = text.IndexOf((byte)0);
        var words = Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
        return words.Length == 0
            ? "the library cannot be loaded"
            : string.Concat(words.Select(c => char.IsControl(c) ? '?' : c));
    }

    private void LetGo(int tid, ThreadRegisterSet registers, int signal, long stop)
    {
        // Only where the kernel would tell the program that it was traced.
        const long eintr = -4;
        if (registers.SystemCall >= 0 && registers.Rax == eintr && registers.Resumed() is { SystemCall: -1 } resumed
            && resumed.Rip != registers.Rip)
        {
            Ptrace.WriteGeneral(tid, resumed.Words);
        }

        Ptrace.Detach(tid, signal);
        NoteStop(stop);
    }

    private void NoteStop(long since)
    {
        var stopped = Stopwatch.GetElapsedTime(since);
        _longestStop = stopped > _longestStop ? stopped : _longestStop;
    }

    // What waitpid tells of the thread; null when it has not stopped in time, or is gone.
    private int? WaitForStop(int tid, TimeSpan patience)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var changed = Ptrace.Wait(out var status);
            if (changed == tid)
            {
                return (status & 0xFF) == 0x7F ? status : null;
            }

            if (changed > 0)
            {
                // One that did not come in time when it was its turn.
                Ptrace.Detach(changed, SignalToPass(status));
                _pending.Remove(changed);
            }
            else if (Ptrace.Error != Ptrace.Eintr || clock.Elapsed > patience)
            {
                return null;
            }
        }
    }

    private InjectionResult Result(InjectionOutcome outcome, string? problem, TimeSpan busy = default) =>
        new(outcome, 0, problem, _longestStop, busy);

    private static bool IsSystemCall(int status) => status >> 8 == (SigTrap | 0x80);

    private static bool IsInterrupted(int status) => status >> 8 == (SigTrap | (Ptrace.EventStop << 8));

    private static bool IsGroupStop(int status) => status >> 16 == Ptrace.EventStop && !IsInterrupted(status);

    // A signal that was about to be delivered when the thread stopped for us.
    private static int SignalToPass(int status) =>
        (status & 0xFF) == 0x7F && status >> 16 == 0 && !IsSystemCall(status) ? (status >> 8) & 0xFF : 0;

    private static bool IsFault(int signal) => signal is 4 or 6 or 7 or 8 or 11 or 31;

    private const int SigTrap = 5;
}
