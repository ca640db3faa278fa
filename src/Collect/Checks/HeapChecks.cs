using System.Collections.Concurrent;
using System.Text;
using NativeHeap.Collect.Server;
using NativeHeap.Collect.Sessions;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Checks;

/// <summary>
/// Has processes held and their heaps examined, one at a time: at their end, and when somebody asks. A process that
/// cannot be held ends as ever, and its check says what was not freed and no more.
/// </summary>
/// <remarks>The recording is the drain's; memory is looked at on a thread of its own, so that rings are drained
/// meanwhile.</remarks>
internal sealed class HeapChecks : IDisposable
{
    internal const string RecordingEnded = "its recording ended";

    private static readonly Dictionary<int, ulong> NoStarts = [];

    private readonly DrainLoop _drain;
    private readonly IHeapExaminer _examiner;
    private readonly Func<string, int, bool, CheckVerdict>? _judge;
    private readonly string _tracePath;
    private readonly CheckLevel? _atEnd;
    private readonly HeapLook _look;
    private readonly BlockingCollection<Action> _work = [];
    private readonly Lazy<Thread> _thread;

    private readonly ConcurrentDictionary<int, bool> _greeting = []; // pids that have said hello and are not recorded yet

    // The drain's.
    private readonly Dictionary<int, (IHeldProcess Held, ulong Started)> _early = []; // at their end, and not recorded yet
    private readonly Dictionary<int, string> _refusals = []; // by pid in our namespace
    private readonly Dictionary<ProcessId, int> _pids = []; // in our namespace
    private readonly HashSet<ProcessId> _done = []; // checked at their end
    private readonly Dictionary<ProcessId, SlotRecord> _waiting = []; // for us, and we do not know its number yet
    private readonly Dictionary<ProcessId, Finding> _beforeExecution = []; // counts if that succeeds

    public HeapChecks(
        DrainLoop drain, Recording recording, IHeapExaminer examiner, SessionOptions options, string tracePath)
    {
        _judge = options.Judge;
        _tracePath = tracePath;
        _drain = drain;
        _examiner = examiner;
        _atEnd = options.CheckAtEnd;
        _look = new HeapLook(drain, examiner, options.CheckTime, Held);
        recording.CheckWanted += (process, slot) => Wanted(recording, process, slot);
        _thread = new Lazy<Thread>(() =>
        {
            var thread = new Thread(Work) { IsBackground = true, Name = "checks" };
            thread.Start();
            return thread;
        });
    }

    /// <summary>A fault of ours ended the checks; processes that were held go on. On the thread of checks.</summary>
    public event Action<Exception>? Faulted;

    /// <summary>Whether processes are checked at their ends. Any thread.</summary>
    public bool NeedsEveryBlock => _atEnd is not null;

    private bool LooksAtEnds => _atEnd is CheckLevel.Normal or CheckLevel.Strict;

    /// <summary>Tells processes of a new region when to wait for us. The poll thread, before it is handed over.</summary>
    public void Prepare(RegionView region)
    {
        var checks = CheckReason.Asked | CheckReason.AskedSince | CheckReason.Snapshot | CheckReason.Stop | CheckReason.Start;
        if (LooksAtEnds)
        {
            checks |= CheckReason.Execute;
        }

        if (_atEnd == CheckLevel.Normal)
        {
            checks |= CheckReason.Exit;
        }

        if (LooksAtEnds && !_look.MayReadAll)
        {
            checks |= CheckReason.AnyEnd;
        }

        region.AskForChecks((uint)checks, _look.MayReadAll ? 0 : ThreadParking.Signal);
    }

    /// <summary>A process has said hello, and waits for the answer: it is traced from now on. The poll thread.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public void Follow(int pid)
    {
        if (!LooksAtEnds || pid == 0)
        {
            return;
        }

        _greeting[pid] = true;
        if (_look.Follow(pid) is { } refusal)
        {
            _drain.Post(_ => _refusals[pid] = refusal);
        }
    }

    /// <summary>A process is recorded. The drain's thread.</summary>
    /// <param name="recording">The recording.</param>
    /// <param name="process">Its row.</param>
    /// <param name="pid">In our pid namespace.</param>
    public void Know(Recording recording, ProcessId process, int pid)
    {
        _pids[process] = pid;
        _greeting.TryRemove(pid, out _);
        if (_early.Remove(pid, out var end))
        {
            FinishLater(process, end.Held, end.Started);
        }

        if (_waiting.Remove(process, out var slot))
        {
            Wanted(recording, process, slot);
        }
    }

    /// <summary>A process is gone, or another program is in its place. If its heap was not checked, all that is known is
    /// what it had not freed. The drain's thread, before its end is noted.</summary>
    /// <param name="recording">The recording.</param>
    /// <param name="process">The process.</param>
    /// <param name="executed">Whether another program is in its place.</param>
    public void Gone(Recording recording, ProcessId process, bool executed)
    {
        if (_waiting.Remove(process, out var slot))
        {
            recording.EndCheck(process, slot.CheckWanted);
        }

        if (_atEnd is not { } level || !_done.Add(process))
        {
            return;
        }

        if (executed && _beforeExecution.TryGetValue(process, out var finding))
        {
            Add(recording, process, Word(level), finding);
        }
        else if (recording.TakeBlocks(process) is { } blocks)
        {
            using (blocks)
            {
                var note = level == CheckLevel.Draconian ? null : "not freed, reachability unknown: " + WhyUnknown(process, executed);
                var graph = _examiner.NotFreed(blocks, level == CheckLevel.Draconian, note);
                recording.AddCheck(process, Heartbeat.Clock(), Word(level), 0, note is null, graph);
            }
        }
    }

    /// <summary>Checks a process now. Any thread.</summary>
    /// <param name="process">Its row.</param>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="answer">Told the check's number; null and why there is none. Any thread.</param>
    public void Ask(ProcessId process, int pid, Action<int?, string?> answer) => Enqueue(() =>
    {
        try
        {
            CheckNow(process, pid, answer);
        }
        catch (OperationCanceledException)
        {
            answer(null, RecordingEnded);
        }
    });

    private void CheckNow(ProcessId process, int pid, Action<int?, string?> answer)
    {
        _look.Closing.ThrowIfCancellationRequested();
        if (_look.Ask(recording => recording.WasSampled(process)))
        {
            answer(null, "its recording is sampled: most blocks are not known");
            return;
        }

        var started = Heartbeat.Clock();
        if (_look.TryHold(process, pid, out var problem) is not { } held
            || _look.Take(process, held, NoStarts) is not { } heap)
        {
            answer(null, problem ?? "it is ending");
            return;
        }

        var finding = _look.Examine(heap, started);
        _drain.Post(recording =>
        {
            var number = Add(recording, process, "asked", finding);
            _drain.Flush();
            answer(_drain.Failure is null ? number : null, _drain.Failure?.Message);
        });
    }

    /// <summary>Lets everybody go; checks that are under way end at once.</summary>
    public void Dispose()
    {
        if (_work.IsAddingCompleted)
        {
            return;
        }

        _look.Cancel();
        _work.CompleteAdding();
        _look.Dispose();

        if (_thread.IsValueCreated)
        {
            _thread.Value.Join();
        }
    }

    private static string Word(CheckLevel level) => level.ToString().ToLowerInvariant();

    private static int Add(Recording recording, ProcessId process, string level, Finding finding) =>
        recording.AddCheck(process, finding.StartedNs, level, finding.HeldNs, finding.IsComplete, finding.Graph);

    private string WhyUnknown(ProcessId process, bool executed) =>
        _pids.TryGetValue(process, out var pid) && _refusals.TryGetValue(pid, out var refusal)
            ? $"it could not be traced ({refusal})"
            : executed ? "it executed another program unseen" : "it ended without being held";

    private void FinishLater(ProcessId process, IHeldProcess held, ulong started)
    {
        if (_done.Add(process))
        {
            Enqueue(() => Finish(process, _look.Take(process, held, NoStarts), started));
        }
        else
        {
            held.Dispose();
        }
    }

    // It has ended before it was recorded, which is about to happen.
    private void Postpone(IHeldProcess held, ulong started)
    {
        _early[held.Pid] = (held, started);
        _ = Task.Delay(HeapLook.HoldPatience, _look.Closing).ContinueWith(
            _ => _drain.Post(_ =>
            {
                if (_early.Remove(held.Pid, out var end))
                {
                    end.Held.Dispose();
                }
            }),
            TaskScheduler.Default);
    }

    // A process is at its end, and stands still. The tracer's thread.
    private void Held(object? sender, ProcessEndEventArgs end)
    {
        end.IsTaken = true;
        var started = Heartbeat.Clock();
        var pid = new ProcessReader(end.Held.Pid).ReadStatus()?.NamespacePids is { Count: > 0 } pids
            ? (int)pids[^1] : end.Held.Pid;
        _drain.Post(recording =>
        {
            if (_greeting.ContainsKey(end.Held.Pid))
            {
                Postpone(end.Held, started);
            }
            else if (recording.FindLiving(pid) is { } process)
            {
                FinishLater(process, end.Held, started);
            }
            else
            {
                end.Held.Dispose();
            }
        });
    }

    // A process waits in the shim for us to look at it. The drain's thread.
    private void Wanted(Recording recording, ProcessId process, SlotRecord slot)
    {
        var reason = (CheckReason)slot.CheckReason;
        switch (reason)
        {
            case CheckReason.Snapshot:
                Mark(recording, process, slot);
                return;
            case CheckReason.Stop or CheckReason.Start:
                recording.Pause(process, reason == CheckReason.Stop, Heartbeat.Clock());
                Answer(recording, process, slot, CheckVerdict.Nothing);
                return;
        }

        var isAsked = reason is CheckReason.Asked or CheckReason.AskedSince;
        if (!isAsked && (!LooksAtEnds || _done.Contains(process)))
        {
            recording.EndCheck(process, slot.CheckWanted);
            return;
        }

        if (!_pids.TryGetValue(process, out var pid))
        {
            _waiting[process] = slot; // a child that was forked just now, and is still looked for
            return;
        }

        if (reason == CheckReason.AnyEnd && _look.MayTrace && ParkedProcess.CanRead(pid))
        {
            recording.EndCheck(process, slot.CheckWanted); // it is looked at in its very end
            return;
        }

        Enqueue(() =>
        {
            var started = Heartbeat.Clock();
            var starts = new Dictionary<int, ulong> { [(int)Math.Min(slot.CheckThread, int.MaxValue)] = slot.CheckStack };
            CheckVerdict? verdict = null;
            if (!(isAsked && _look.Ask(recording => recording.WasSampled(process)))
                && _look.TryHold(process, pid, out _) is { } held && _look.Take(process, held, starts) is { } heap)
            {
                var finding = _look.Examine(heap, started);
                if (isAsked)
                {
                    verdict = Judge(process, finding, reason == CheckReason.AskedSince);
                }
                else
                {
                    _drain.Post(recording => Keep(recording, process, finding, reason == CheckReason.Execute));
                }
            }

            _drain.Post(recording =>
            {
                if (isAsked)
                {
                    Answer(recording, process, slot, verdict);
                }
                else
                {
                    recording.EndCheck(process, slot.CheckWanted);
                }
            });
        });
    }

    // The program marks this moment. The drain's thread.
    private void Mark(Recording recording, ProcessId process, SlotRecord slot)
    {
        var bytes = (ReadOnlySpan<byte>)slot.Name;
        var end = bytes.IndexOf((byte)0);
        var name = Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
        var isTaken = !SnapshotRequests.IsReserved(name) && !name.Any(char.IsControl)
            && recording.TakeSnapshot(name.Length == 0 ? null : name, "asked") is not null;
        _drain.Flush();
        Answer(recording, process, slot, isTaken && _drain.Failure is null ? CheckVerdict.Nothing : null);
    }

    // Null: nobody could do what was asked.
    private static void Answer(Recording recording, ProcessId process, SlotRecord slot, CheckVerdict? verdict)
    {
        recording.AnswerCheck(process, verdict);
        recording.EndCheck(process, slot.CheckWanted);
    }

    private CheckVerdict? Judge(ProcessId process, Finding finding, bool sinceLast)
    {
        var number = _look.Ask(recording =>
        {
            var added = Add(recording, process, "asked", finding);
            _drain.Flush();
            return added;
        });
        if (_judge is null || !finding.IsComplete || number == 0 || _drain.Failure is not null)
        {
            return null;
        }

        try
        {
            return _judge(_tracePath, number, sinceLast);
        }
        catch (ToolException)
        {
            return null; // the trace cannot be read, which its end will say
        }
    }

    private void Keep(Recording recording, ProcessId process, Finding finding, bool isExecution)
    {
        if (isExecution)
        {
            _beforeExecution[process] = finding;
        }
        else if (_done.Add(process))
        {
            Add(recording, process, Word(_atEnd!.Value), finding);
        }
    }

    private void Finish(ProcessId process, HeldHeap? heap, ulong started)
    {
        if (heap is not null)
        {
            var finding = _look.Examine(heap, started, isEnding: true);
            _drain.Post(recording => Add(recording, process, Word(_atEnd!.Value), finding));
            heap.Held.Dispose(); // its end is noted after its check
        }
    }

    private void Enqueue(Action action)
    {
        try
        {
            _work.Add(action);
            _ = _thread.Value;
        }
        catch (InvalidOperationException)
        {
            // The recording ends; whoever is held is let go with the tracer.
        }
    }

    private void Work()
    {
        foreach (var action in _work.GetConsumingEnumerable())
        {
            try
            {
                action();
            }
            catch (OperationCanceledException) // also of what had not begun
            {
                // The recording ends.
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                Faulted?.Invoke(error); // the recording ends as whole as it is, and whoever is held goes on with that
                return;
            }
        }
    }
}
