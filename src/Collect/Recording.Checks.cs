using NativeHeap.Collect.Checks;
using NativeHeap.Collect.Heap;
using NativeHeap.Model;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <content>What a heap-check asks of a recording, and what it adds.</content>
public sealed partial class Recording
{
    private int _checks;

    /// <summary>A process waits for a heap-check; see <see cref="EndCheck"/>. Raised by <see cref="DrainOnce"/>.</summary>
    public event Action<ProcessId, SlotRecord>? CheckWanted;

    /// <summary>Every live block of a process, as of everything it has written, without those of pools, which lie in them;
    /// <see cref="HeapBlock.Stack"/> is the trace's stack. The caller disposes it.</summary>
    /// <param name="process">A process that does not write meanwhile.</param>
    /// <returns>Null when it has ended, or there is no such process.</returns>
    public HeapBlocks? TakeBlocks(ProcessId process)
    {
        DrainOnce();
        RefreshModules();
        if (_drain.Find(process) is not { HasEnded: false } tracked)
        {
            return null;
        }

        tracked.ResolveStacks(mayWait: false);
        return Blocks(tracked.Heap, block => tracked.Heap.Stacks[block.Stack].StackId);
    }

    // Without those of pools, which lie in others.
    private static HeapBlocks Blocks(ProcessHeap heap, Func<LiveBlock, int> stackOf)
    {
        var blocks = new HeapBlocks((int)Math.Min(heap.Blocks.Count, int.MaxValue / 2));
        heap.Blocks.ForEach(block =>
        {
            if (!block.IsPools)
            {
                blocks.Add(block.Address, (ulong)block.Bytes, stackOf(block));
            }
        });
        return blocks;
    }

    /// <summary>Addresses of blocks that a process wants no leaks to be made of.</summary>
    public IReadOnlyList<ulong> IgnoredBlocks(ProcessId process) => [.. _drain.Find(process)?.Heap.Ignored ?? []];

    /// <summary>Tells a process what came of what it asked for; <see cref="EndCheck"/> lets it go on then.</summary>
    /// <param name="process">The process.</param>
    /// <param name="verdict">What was found; null: nobody could look.</param>
    public void AnswerCheck(ProcessId process, CheckVerdict? verdict)
    {
        if (_drain.Find(process) is { HasEnded: false } tracked)
        {
            tracked.Region.View.AnswerCheck(
                tracked.Slot,
                verdict is null ? CheckResult.Failed : CheckResult.Done,
                verdict?.ExitCode ?? 0,
                [.. (verdict ?? CheckVerdict.Nothing).Sums]);
        }
    }

    /// <summary>Lets a process go on that waits for a heap-check.</summary>
    public void EndCheck(ProcessId process, uint number)
    {
        if (_drain.Find(process) is { HasEnded: false } tracked)
        {
            tracked.Region.View.EndCheck(tracked.Slot, number);
        }
    }

    /// <summary>Begins a round in which a process's threads park on the signal; null when it has ended.</summary>
    public uint? BeginParking(ProcessId process) =>
        _drain.Find(process) is { HasEnded: false } tracked ? tracked.Region.View.BeginParking(tracked.Slot) : null;

    /// <summary>How many threads have parked.</summary>
    public uint Parked(ProcessId process) =>
        _drain.Find(process) is { HasEnded: false } tracked ? tracked.Region.View.Parked(tracked.Slot) : uint.MaxValue;

    /// <summary>Lets parked threads go on.</summary>
    public void EndParking(ProcessId process, uint round)
    {
        if (_drain.Find(process) is { HasEnded: false } tracked)
        {
            tracked.Region.View.EndParking(tracked.Slot, round);
        }
    }

    /// <summary>The signal on which a process's threads park; 0: none, or it has ended.</summary>
    public int ParkSignal(ProcessId process) =>
        _drain.Find(process) is { HasEnded: false } tracked ? tracked.Region.View.ParkSignal(tracked.Slot) : 0;

    /// <summary>Asks a process whose threads have parked for a copy of itself.</summary>
    /// <returns>The copy's window, the caller's; null when there is none, or the process has ended.</returns>
    public MappedCopyWindow? AskForCopy(ProcessId process, uint round, TimeSpan patience)
    {
        if (_drain.Find(process) is not { HasEnded: false } tracked
            || tracked.Region.Memory.OpenCopyWindow(patience) is not { } window)
        {
            return null;
        }

        tracked.Region.View.AskForCopy(tracked.Slot, round);
        return window;
    }

    /// <summary>See <see cref="RegionView.CopyResult"/>; of a process that has ended there is none.</summary>
    public int? CopyResult(ProcessId process, uint round) =>
        _drain.Find(process) is { HasEnded: false } tracked ? tracked.Region.View.CopyResult(tracked.Slot, round) : -1;

    /// <summary>A process's slot in its region, as the shim has it now; null when it has ended.</summary>
    public SlotRecord? ReadSlot(ProcessId process) =>
        _drain.Find(process) is { HasEnded: false } tracked ? tracked.Region.View.ReadSlot(tracked.Slot) : null;

    /// <summary>Adds a heap-check to the trace.</summary>
    /// <param name="process">The process that was looked at.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC when it was stopped.</param>
    /// <param name="level">A word of the schema.</param>
    /// <param name="heldNs">How long it stood still.</param>
    /// <param name="isComplete">Whether its memory could be looked at.</param>
    /// <param name="graph">What was found.</param>
    /// <returns>The check's number.</returns>
    public int AddCheck(
        ProcessId process, ulong clockNs, string level, long heldNs, bool isComplete, ReadOnlyMemory<byte> graph)
    {
        _committer.Batch.LeakChecks.Add(
            new LeakCheckRow(++_checks, process, RelativeNs(clockNs), level, heldNs, isComplete, graph)
            {
                Suppressions = _drain.Find(process)?.Suppressions.Text,
            });
        return _checks;
    }

    private void LookForChecks()
    {
        if (CheckWanted is null)
        {
            return;
        }

        foreach (var process in _drain.Processes.Where(process => !process.HasEnded).ToList())
        {
            var wanted = process.Region.View.CheckWanted(process.Slot);
            if (wanted != process.CheckSeen)
            {
                process.CheckSeen = wanted;
                CheckWanted(process.Id, process.Region.View.ReadSlot(process.Slot));
            }
        }
    }
}
