using System.Runtime.InteropServices;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Holding;

// Holding processes, and letting them go. The thread that traces.
public sealed partial class Tracer
{
    private string? Seize(int pid, bool follows)
    {
        if (_stopping)
        {
            return "nobody is traced any more";
        }

        if (_processes.ContainsKey(pid))
        {
            return null;
        }

        var process = new TracedProcess(pid, follows);
        var options = follows ? Ptrace.FollowAll : Ptrace.FollowThreads;
        for (var round = 0; round < MostRounds; round++)
        {
            var threads = new ProcessReader(pid).ReadThreads();
            if (threads is not { Count: > 0 })
            {
                return process.Threads.Count > 0 ? null : "there is no such process";
            }

            var added = false;
            foreach (var tid in threads.Where(tid => !process.Threads.ContainsKey(tid)))
            {
                if (Ptrace.Seize(tid, options))
                {
                    Add(process, tid);
                    added = true;
                }
                else if (Ptrace.Error != Ptrace.Esrch && process.Threads.Count == 0)
                {
                    return Marshal.GetPInvokeErrorMessage(Ptrace.Error);
                }
            }

            if (!added)
            {
                break;
            }
        }

        if (process.Threads.Count == 0)
        {
            return "it has ended";
        }

        _processes[pid] = process;
        return null;
    }

    private string? Begin(int pid, PendingHold hold)
    {
        if (Seize(pid, follows: false) is { } problem)
        {
            return problem;
        }

        var process = _processes[pid];
        if (process.Hold is not null || process.IsEnding)
        {
            return process.IsEnding ? "it is ending" : "it is being held already";
        }

        process.Hold = hold;
        foreach (var thread in process.Threads.Values)
        {
            if (thread.State == ThreadState.Running)
            {
                Ptrace.Interrupt(thread.Tid);
            }
        }

        Check(process);
        return null;
    }

    private void LookAtDeadlines()
    {
        foreach (var process in _processes.Values.ToList())
        {
            Check(process);
        }
    }

    // Whether somebody who waits for the process has it now.
    private void Check(TracedProcess process)
    {
        var now = Environment.TickCount64;
        if (process.IsEnding && !process.WasShown)
        {
            if (IsExecuting(process))
            {
                process.IsEnding = false;
                End(process);
                return;
            }

            var all = process.Threads.Values.All(thread => thread.State == ThreadState.Exiting);
            if (all || now - process.EndingSince > EndPatience.TotalMilliseconds)
            {
                process.Hold?.Done.TrySetResult(null);
                process.Hold = null;
                ShowEnd(process);
            }
        }
        else if (process.Hold is { IsComplete: false } hold && !process.IsEnding
            && (process.Threads.Values.All(thread => thread.IsStopped) || now > hold.Deadline))
        {
            hold.IsComplete = true;
            hold.Done.TrySetResult(Describe(process, () => Post(() => Release(process))));
        }
    }

    // A thread that executes another program ends all others first.
    private static bool IsExecuting(TracedProcess process) =>
        process.Threads.Values.Any(thread => thread.State == ThreadState.Running
            && new ProcessReader(process.Pid).ReadSystemCall(thread.Tid) is SysExecve or SysExecveat);

    private void ShowEnd(TracedProcess process)
    {
        process.WasShown = true;
        var held = Describe(process, () => Post(() => End(process)));
        var args = new ProcessEndEventArgs(held, process.EndStatus);
        Ending?.Invoke(this, args);
        if (!args.IsTaken)
        {
            held.Dispose();
        }
    }

    private static PtraceHold Describe(TracedProcess process, Action release)
    {
        var threads = new List<HeldThread>();
        var notes = new List<string>();
        var mappings = new Lazy<IReadOnlyList<MemoryMapping>>(() => new ProcessReader(process.Pid).ReadMappings() ?? []);
        foreach (var thread in process.Threads.Values)
        {
            var registers = thread.IsStopped ? Ptrace.ReadRegisters(thread.Tid) : null;
            if (registers is not null && thread.State == ThreadState.Exiting
                && Ptrace.SystemCall(thread.Tid) is SysExit or SysExitGroup
                && IsOfCLibrary(mappings, registers.InstructionPointer))
            {
                // It called a function to end; all but what a function preserves was left over from anything. A program
                // that asks the kernel itself may have pointers in any register.
                registers = registers with { Words = registers.Words[..ThreadRegisters.PreservedWords] };
            }

            threads.Add(new HeldThread(thread.Tid, registers));
            if (registers is null)
            {
                notes.Add($"registers of thread {thread.Tid} unknown");
            }
        }

        return new PtraceHold(process.Pid, threads, notes, release);
    }

    private static bool IsOfCLibrary(Lazy<IReadOnlyList<MemoryMapping>> mappings, ulong address) =>
        mappings.Value.FirstOrDefault(mapping => address >= mapping.Start && address < mapping.End) is { } mapping
        && Path.GetFileName(mapping.Path) is var name
        && (name.StartsWith("libc.so", StringComparison.Ordinal) || name.StartsWith("libc-", StringComparison.Ordinal)
            || name.StartsWith("libpthread", StringComparison.Ordinal) || name.StartsWith("ld-linux", StringComparison.Ordinal));

    private void Release(TracedProcess process)
    {
        process.Hold = null;
        if (!process.Follows)
        {
            LetGo(process);
            return;
        }

        foreach (var thread in process.Threads.Values.Where(thread => thread.State == ThreadState.Stopped))
        {
            thread.State = ThreadState.Running;
            Ptrace.Continue(thread.Tid, thread.PendingSignal);
            thread.PendingSignal = 0;
        }
    }

    private static void End(TracedProcess process)
    {
        foreach (var thread in process.Threads.Values.Where(thread => thread.State == ThreadState.Exiting))
        {
            Ptrace.Continue(thread.Tid, 0);
        }
    }

    private void LetGo(TracedProcess process)
    {
        foreach (var thread in process.Threads.Values.Where(thread => thread.IsStopped).ToList())
        {
            // One that job control has stopped stays so: PTRACE_DETACH puts it back there.
            if (Ptrace.Detach(thread.Tid, thread.PendingSignal))
            {
                process.Threads.Remove(thread.Tid);
                _threads.Remove(thread.Tid);
            }
            else
            {
                thread.State = ThreadState.Running; // it was killed, and its parent hears of that only when we have
            }
        }

        // Who did not come stays traced until it does, and then runs on.
        if (process.Threads.Count == 0)
        {
            _processes.Remove(process.Pid);
        }
    }
}
