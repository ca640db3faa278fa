using NativeHeap.Collect.Server;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Looks at what processes use, for the most at their resident memory: its size often at first and a few times a second later, where it is about
/// once a second and for the first process alone (the kernel holds a lock of the target for it), and less often where
/// that takes long. A thread of its own.
/// </summary>
internal sealed class ResidentSampler : IDisposable
{
    private const int MostProcesses = 64; // the newest are left out
    private const int FirstLook = 5; // ms after the start; short programs are seen at least once
    private const int LongestPause = 100;
    private const ulong LongestLedgerPauseNs = 1_000_000_000;
    private const ulong LedgerShare = 50; // of a processor's time, one part
    private const int FirstLedgers = 4;

    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly List<(ProcessId Id, ProcessReader Reader)> _processes = [];
    private readonly ManualResetEventSlim _stop = new();
    private readonly Action<Action<Recording>> _post;
    private readonly MemoryWatch? _watch;
    private readonly OverheadLimit? _limit;
    private readonly Action<string> _trigger;
    private readonly Thread _thread;
    private ulong _ledgerPauseNs = FirstLook * 1_000_000UL;
    private ulong _nextLedgerNs;
    private int _ledgers;
    private (ProcessReader? Process, bool IsEmulated) _judged;

    /// <summary>Starts the thread.</summary>
    /// <param name="post">Hands over what was seen.</param>
    /// <param name="watch">Tells whether it is time for a snapshot; null: nobody wants to know.</param>
    /// <param name="limit">Bounds what recording costs; null: nobody wants that.</param>
    /// <param name="trigger">Has one taken, for a reason.</param>
    public ResidentSampler(
        Action<Action<Recording>> post, MemoryWatch? watch, OverheadLimit? limit, Action<string> trigger)
    {
        _post = post;
        _watch = watch;
        _limit = limit;
        _trigger = trigger;
        _thread = new Thread(Run) { IsBackground = true, Name = "resident" };
        _thread.Start();
    }

    /// <summary>Looks at a process from now on. Any thread.</summary>
    /// <param name="id">Its row.</param>
    /// <param name="pid">In our pid namespace.</param>
    public void Add(ProcessId id, int pid)
    {
        lock (_gate)
        {
            // An image that an exec replaced is not looked at any more; the new one keeps its place.
            var place = _processes.FindIndex(process => process.Reader.Pid == pid);
            var process = (id, new ProcessReader(pid));
            if (place >= 0)
            {
                _processes[place] = process;
            }
            else
            {
                _processes.Add(process);
            }
        }
    }

    /// <summary>Does not look at a process any more. Any thread.</summary>
    public void Remove(int pid)
    {
        lock (_gate)
        {
            _processes.RemoveAll(process => process.Reader.Pid == pid);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_thread.IsAlive)
        {
            _stop.Set();
            _thread.Join();
            _stop.Dispose();
        }
    }

    private void Run()
    {
        var pause = FirstLook;
        while (!_stop.Wait(pause))
        {
            (ProcessId Id, ProcessReader Reader)[] processes;
            lock (_gate)
            {
                processes = [.. _processes.Take(MostProcesses)];
            }
            _watch?.BeginRound();
            var pids = processes.Select(process => process.Reader.Pid).ToHashSet();
            _watch?.Keep(pids);
            _limit?.Keep(pids);
            foreach (var (id, reader) in processes)
            {
                LookAtSize(id, reader);
                _limit?.Look(id, reader, Heartbeat.Clock());
            }
            if (processes.Length > 0)
            {
                pause = _watch?.IsNear == true ? FirstLook : Math.Min(pause + 1, LongestPause);
                LookAtParts(processes[0].Id, processes[0].Reader);
            }
        }
    }

    private void LookAtSize(ProcessId id, ProcessReader reader)
    {
        if (reader.ReadResidentBytes() is { } bytes)
        {
            var now = Heartbeat.Clock();
            _post(recording => recording.AddResident(id, now, bytes));
            if (_watch?.Look(reader.Pid, bytes) is { } reason)
            {
                _trigger(reason);
            }
        }
    }

    private void LookAtParts(ProcessId id, ProcessReader reader)
    {
        // Only the first process of the trace has a ledger.
        var now = Heartbeat.Clock();
        if (now < _nextLedgerNs)
        {
            return;
        }
        var started = Libc.ThreadClock();
        using var memory = new ProcessMemory(reader.Pid);
        if (IsEmulated(reader, memory))
        {
            return; // what the emulator needs itself is not the program's
        }

        if (reader.ReadResidentMemory(memory) is not { } resident)
        {
            return;
        }
        using var pages = new PageMap(reader.Pid);
        var native = pages.CanRead ? Divide(id, pages, resident) : null;
        var parts = native?.Divide(resident) ?? resident.Parts.Select(part => new LedgerPart(part.Name, part.Bytes));
        parts = pages.CanRead ? RuntimeMemory.Of(memory, resident, pages).Divide([.. parts]) : parts;
        if (reader.ReadResidentBytes() is null)
        {
            return; // it ended meanwhile, and part of its memory was gone
        }
        var ledger = new Ledger((long)now, resident.RssBytes, [.. parts], resident.UnexplainedBytes);
        _post(recording =>
        {
            recording.AddLedger(id, ledger);
            if (native is not null)
            {
                recording.AddGauge(id, now, LedgerGauges.Untouched, native.UntouchedBytes);
            }
            if (resident.GcCommittedBytes > 0)
            {
                recording.AddGauge(id, now, LedgerGauges.GcCommitted, resident.GcCommittedBytes);
            }
        });
        // The first looks also compile what they run.
        var cost = _ledgers++ < FirstLedgers ? 0 : Libc.ThreadClock() - started;
        _ledgerPauseNs = Math.Min(_ledgerPauseNs * 2, LongestLedgerPauseNs);
        _nextLedgerNs = Heartbeat.Clock() + Math.Max(_ledgerPauseNs, cost * LedgerShare);
    }

    private bool IsEmulated(ProcessReader process, ProcessMemory memory)
    {
        if (_judged.Process != process)
        {
            _judged = (process, EmulatedProcess.Is(process.ReadMappings() ?? [], memory));
        }

        return _judged.IsEmulated;
    }

    // Null: the live blocks are not known, or nobody can tell which memory is malloc's.
    private AllocatorMemory? Divide(ProcessId id, PageMap pages, ResidentMemory resident)
    {
        if (resident.Malloc.Arenas.Count == 0 && resident.MallocBytes > 0)
        {
            return null;
        }
        var answer = new TaskCompletionSource<HeapBlocks?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _post(recording => answer.SetResult(recording.TakeAddresses(id)));
        if (WaitHandle.WaitAny([((IAsyncResult)answer.Task).AsyncWaitHandle, _stop.WaitHandle], DrainPatience) != 0)
        {
            _ = answer.Task.ContinueWith(late => late.Result?.Dispose(), TaskScheduler.Default);
            return null;
        }
        using var blocks = answer.Task.Result;
        return blocks is null ? null : AllocatorMemory.Of(blocks, resident, pages);
    }
}
