using System.Globalization;
using NativeHeap.Collect.Stacks;
using NativeHeap.Managed;
using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect;

/// <summary>
/// One recording: drains the regions of all its processes, keeps their heaps and writes the trace. Everything is called
/// on one thread, the drain's; only the file is written on another. Events cost no garbage.
/// </summary>
/// <remarks>
/// The loop: <see cref="Tick"/> every few ms, <see cref="DrainOnce"/> again at once while it returns true,
/// <see cref="Commit"/> every 250 ms. At the end <see cref="Finish"/>, names by way of <see cref="Locations"/>,
/// <see cref="Close"/>.
/// </remarks>
public sealed partial class Recording : IDisposable
{
    private const int MostDividedBlocks = 20_000_000; // of which a ledger tells where they are

    private readonly TraceWriter _writer;
    private readonly RecordingShared _shared;
    private readonly RecordingDrain _drain;
    private readonly BatchFiller _filler;
    private readonly TraceCommitter _committer;
    private int _codeSeen;
    private bool _isFinished;

    /// <summary>A recording without a process.</summary>
    /// <param name="writer">A new trace; stays the caller's, but is not touched by anybody else until
    /// <see cref="Finish"/> has returned.</param>
    /// <param name="mappings">Asked for modules that a shim's table misses; null: nobody is.</param>
    public Recording(TraceWriter writer, IMappingSource? mappings = null)
    {
        _writer = writer;
        _shared = new RecordingShared(mappings);
        _drain = new RecordingDrain(_shared);
        _drain.Found += process => ProcessFound?.Invoke(
            new ForkedProcess(process.Id, process.Pid, process.Parent!.Id, process.Region.Memory));
        _drain.Widened += () => _newWidths.Add(_shared.Buckets.BucketNs);
        _filler = new BatchFiller(_shared);
        _committer = new TraceCommitter(writer);
    }

    /// <summary>When the first process started, since 1970; null: it is starting now.</summary>
    public long? StartUnixNs { get; init; }

    /// <summary>A forked child was found; whoever can tell how it ends calls <see cref="NoteEnd"/> then.</summary>
    public event Action<ForkedProcess>? ProcessFound;

    /// <summary>A process has ended and everything it wrote is counted.</summary>
    public event Action<ProcessInfo>? ProcessFinished;

    /// <summary>A process was detached: its recording has ended, and it goes on.</summary>
    public event Action<ProcessId>? ProcessLeft;

    /// <summary>A process runs .NET, or (false) has code that may be such; it may have been seen before.</summary>
    public event Action<ProcessId, bool>? RuntimeSeen;

    /// <summary>A return address in code that no binary covers was seen in a process.</summary>
    public event Action<ProcessId, ulong>? CodeSeen;

    /// <summary>Processes that have not ended, as far as is known.</summary>
    public int LiveProcesses => _drain.Processes.Count(process => process.End is null);

    /// <summary>Events that must have been and did not come.</summary>
    public long LostEvents => _drain.LostEvents;

    /// <summary>Live over all processes; a process counts until its end is known.</summary>
    public long LiveBytes => _shared.Live.Bytes;

    /// <summary>Live blocks over all processes.</summary>
    public long LiveBlocks => _shared.Live.Blocks;

    /// <summary>The moment of most bytes over all processes.</summary>
    public Peak Peak => BatchFiller.PeakOf(_shared.Live, _drain.Interval);

    /// <summary>Every process so far, as of now.</summary>
    public IReadOnlyList<ProcessInfo> Processes => [.. _drain.All.Select(BatchFiller.Describe)];

    /// <summary>The trace's places in code, for those who name them, after <see cref="Finish"/>.</summary>
    public ILocationStore Locations => new RecordingLocations(_shared.Registry, _writer);

    /// <summary>Names places in code of .NET, after <see cref="Finish"/> and before <see cref="Locations"/> are named.</summary>
    /// <param name="code">What is known of a process's code; null: nothing.</param>
    /// <param name="cancellation">Ends the work early; what was named stays.</param>
    /// <returns>Remarks for a person.</returns>
    /// <exception cref="TraceWriteException">The trace could not be written.</exception>
    public IReadOnlyList<string> NameManagedCode(Func<ProcessId, CodeMap?> code, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(code);
        if (_shared.Registry.Code.Count == 0)
        {
            return [];
        }

        using var naming = new CodeNaming(_shared, _writer);
        NoteNameless(naming.Complete(process => KnownCode(process, code), cancellation));
        return naming.Notes;
    }

    /// <summary>Takes a region over.</summary>
    /// <param name="memory">From now on owned.</param>
    /// <param name="introduction">The process that said hello; it has slot 0.</param>
    /// <returns>Its row.</returns>
    public ProcessId Attach(IRegionMemory memory, ProcessIntroduction introduction)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(introduction);
        var first = _shared.StartNs == 0;
        if (first)
        {
            Begin(introduction.StartNs, memory.View);
        }

        return _drain.Attach(memory, introduction).Id;
    }

    /// <summary>Sets a text of <c>meta</c> with the next commit.</summary>
    public void Describe(string key, string value) => _committer.Batch.MetaTexts.Add((key, value));

    /// <summary>Gives targets the time; without it they take us for dead after a while.</summary>
    /// <param name="clockNs">CLOCK_MONOTONIC.</param>
    public void Tick(ulong clockNs)
    {
        _shared.ClockNs = Math.Max(_shared.ClockNs, clockNs);
        foreach (var region in _drain.Regions)
        {
            if (clockNs > region.View.ClockNs) // somebody else may keep it, too
            {
                region.View.ClockNs = clockNs;
            }
        }
    }

    /// <summary>Reads everything that was in the rings at the time of the call.</summary>
    /// <returns>True when there was anything.</returns>
    public bool DrainOnce()
    {
        var any = _drain.Pass();
        LookForRuntimes();
        LookForChecks();
        LookForDetached();
        foreach (var process in _drain.TakeFinished())
        {
            Ended(process);
        }

        return any;
    }

    /// <summary>Whether more has come meanwhile than leaves time to sleep.</summary>
    public bool IsBehind => _drain.IsBehind;

    /// <summary>Notes that a process is gone. What it wrote is still read.</summary>
    /// <param name="process">The process.</param>
    /// <param name="ending">How.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC when that was learned.</param>
    /// <param name="exitCode">Null when unknown.</param>
    /// <param name="signal">Null when unknown.</param>
    /// <returns>False when its end was known already.</returns>
    public bool NoteEnd(ProcessId process, ProcessEnding ending, ulong clockNs, int? exitCode = null, int? signal = null) =>
        _drain.NoteEnd(process, new ProcessEnd(ending, RelativeNs(clockNs), exitCode, signal));

    /// <summary>Whether a process has got the signal for a snapshot since the last call.</summary>
    public bool TakeSignals()
    {
        var any = false;
        foreach (var region in _drain.Regions)
        {
            any |= region.TakeSignals();
        }

        return any;
    }

    /// <summary>Adds a remark to a process's row.</summary>
    public void Note(ProcessId process, string text)
    {
        if (_drain.Find(process) is { } tracked)
        {
            tracked.AddNote(text);
            _noted.Add(tracked);
        }
    }

    /// <summary>Pauses recording in a process and those that share its region (what was forked from it, and from what),
    /// or takes it up again. In a pause no births are recorded, only the ends of blocks.</summary>
    /// <param name="process">The process.</param>
    /// <param name="pause">Which of the two.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC now.</param>
    /// <returns>False when nothing changed: it was so already, or the process has ended.</returns>
    public bool Pause(ProcessId process, bool pause, ulong clockNs) =>
        _drain.Find(process) is { HasEnded: false } tracked && tracked.Region.Pause(pause, RelativeNs(clockNs));

    /// <summary>Adds a look at a process's resident size to the timeline.</summary>
    public void AddResident(ProcessId process, ulong clockNs, long bytes)
    {
        if (_drain.Find(process) is { HasEnded: false } tracked)
        {
            var milliseconds = (uint)Math.Min(RelativeNs(clockNs) / 1_000_000, uint.MaxValue);
            _drain.WidenBuckets(milliseconds);
            ref var point = ref tracked.Heap.Timeline.At(
                _shared.Buckets.Of(milliseconds), tracked.Heap.Live.Bytes);
            point.RssBytes = bytes;
            point.Dirty = true;
        }
    }

    /// <summary>Adds a look at where a process's resident memory is; its time is CLOCK_MONOTONIC here.</summary>
    public void AddLedger(ProcessId process, Ledger ledger)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        if (_drain.Find(process)?.KnownMapped is { } mapped)
        {
            AddGauge(process, (ulong)ledger.TimeNs, LedgerGauges.Mapped, mapped.Live.Bytes);
        }

        _committer.Batch.Ledgers.Add((process, ledger with { TimeNs = RelativeNs((ulong)ledger.TimeNs) }));
    }

    /// <summary>Adds a figure beside a process's ledger.</summary>
    /// <param name="process">The process.</param>
    /// <param name="clockNs">CLOCK_MONOTONIC.</param>
    /// <param name="name">One of <see cref="LedgerGauges"/>.</param>
    /// <param name="bytes">How much.</param>
    public void AddGauge(ProcessId process, ulong clockNs, string name, long bytes) =>
        _committer.Batch.Gauges.Add((process, new LedgerGauge(RelativeNs(clockNs), name, bytes)));

    /// <summary>Adds a pause by a process's garbage collector.</summary>
    /// <param name="process">The process.</param>
    /// <param name="pause">Its time is CLOCK_MONOTONIC here.</param>
    public void AddPause(ProcessId process, GcPause pause) =>
        _committer.Batch.Pauses.Add((process, pause with { TimeNs = RelativeNs((ulong)pause.TimeNs) }));

    /// <summary>Where the live blocks of a process are, as of now, and their requested sizes, without those of pools, which lie
    /// in them. The caller disposes it.</summary>
    /// <param name="process">It may go on writing.</param>
    /// <returns>Null when not all of them are known (<see cref="KnowsBlocks"/>), or they are too many.</returns>
    public HeapBlocks? TakeAddresses(ProcessId process)
    {
        if (!KnowsBlocks(process) || _drain.Find(process) is not { } tracked || tracked.Heap.Blocks.Count > MostDividedBlocks)
        {
            return null;
        }

        return Blocks(tracked.Heap, _ => 0);
    }

    /// <summary>Whether every live block of a process is known: it lives, was recorded from its first moment on, never paused,
    /// and by samples at no time.</summary>
    public bool KnowsBlocks(ProcessId process) =>
        _drain.Find(process) is { HasEnded: false, WasPaused: false, Origin: not (ProcessOrigin.Attach or ProcessOrigin.Fork) } tracked
        && !tracked.Region.Sampling.WasSampled;

    /// <summary>The process that lives under a pid; also one that has a slot and has not written anything.</summary>
    /// <param name="pid">In its own pid namespace.</param>
    public ProcessId? FindLiving(int pid)
    {
        foreach (var region in _drain.Regions)
        {
            region.DiscoverAll();
        }

        return _drain.Processes.FindLast(process => process.Pid == pid && process is { HasEnded: false, End: null })?.Id;
    }

    /// <summary>Tells every target that still lives to stop, reads what is left, writes it, and lets go of the regions.
    /// Afterwards the writer is the caller's again.</summary>
    /// <exception cref="TraceWriteException">The trace could not be written.</exception>
    public void Finish()
    {
        if (_isFinished)
        {
            return;
        }

        _isFinished = true;
        foreach (var region in _drain.Regions)
        {
            region.View.Control = Control.Stop;
        }

        DrainOnce();
        _drain.Settle();
        foreach (var process in _drain.TakeFinished())
        {
            Ended(process);
        }

        foreach (var process in _drain.Processes)
        {
            process.Heap.PassOverGaps();
            process.KnownMapped?.PassOverGaps(areLost: false); // calls that are under way
        }

        Submit(last: true);
        _committer.Flush();
        _committer.Dispose();
        _drain.ReleaseRegions();
    }

    /// <summary>Closes the trace: it says from now on that it is whole.</summary>
    /// <param name="clockNs">CLOCK_MONOTONIC, the recording's end.</param>
    /// <exception cref="TraceWriteException">The trace could not be written.</exception>
    public void Close(ulong clockNs)
    {
        Finish();
        var complete = _drain.LostEvents == 0 && _drain.Processes.Count == 0 && _drain.All.All(BatchFiller.IsComplete);
        _shared.ClockNs = Math.Max(_shared.ClockNs, clockNs);
        _writer.Close(RelativeNs(clockNs), complete);
    }

    /// <summary>Lets go of everything but the writer. Without <see cref="Close"/> the trace ends at the last commit.</summary>
    public void Dispose()
    {
        if (!_isFinished)
        {
            _isFinished = true;
            _committer.Dispose();
            _drain.ReleaseRegions();
        }

        _drain.Dispose();
        _shared.Registry.Dispose();
    }

    private long RelativeNs(ulong clockNs) => _shared.Relative(clockNs);

    private void Begin(ulong startNs, RegionView region)
    {
        var sampleBytes = region.SampleBytes;
        _shared.StartNs = Math.Max(1, startNs);
        _shared.ClockNs = Math.Max(_shared.ClockNs, _shared.StartNs);
        var ago = (_shared.ClockNs - _shared.StartNs) / 100; // ticks of 100 ns
        var unixTicks = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks - (long)ago;
        var meta = _committer.Batch.Meta;
        meta.Add(("start_unix_ns", StartUnixNs ?? (unixTicks * 100)));
        meta.Add(("start_monotonic_ns", (long)_shared.StartNs));
        meta.Add(("exact", sampleBytes == 0 ? 1 : 0));
        _coarsest = (long)Math.Min(sampleBytes, long.MaxValue);
        meta.Add(("sample_bytes", _coarsest));
        meta.Add(("mappings", region.RecordsMappings ? 1 : 0));
        meta.Add(("bucket_ns", _shared.Buckets.BucketNs));
    }

    // Its share in the trace's peak is settled for as long as no higher peak comes; then it had none.
    private void Ended(TrackedProcess process)
    {
        _endedAtPeak.Add(process);
        ProcessFinished?.Invoke(BatchFiller.Describe(process));
    }

    // A forked child has the code its parent had.
    private CodeMap? KnownCode(ProcessId process, Func<ProcessId, CodeMap?> code)
    {
        for (var tracked = _drain.Find(process); tracked is not null; tracked = tracked.Parent)
        {
            if (code(tracked.Id) is { } known)
            {
                return known;
            }

            if (tracked.Origin != ProcessOrigin.Fork)
            {
                break;
            }
        }

        return null;
    }

    // A stub here or there has none in any process; where many lack them, somebody should know why they see addresses.
    private void NoteNameless(IReadOnlyDictionary<ProcessId, (int Places, int Nameless)> counts)
    {
        _writer.Begin();
        foreach (var (process, (places, nameless)) in counts.Where(count => count.Value.Nameless > count.Value.Places / 10))
        {
            var tracked = _drain.Find(process)!;
            tracked.AddNote(string.Create(
                CultureInfo.InvariantCulture,
                $"{nameless} of {places} places in code of no file have no names: its compiler told none, or not before it ended"));
            _writer.Put(BatchFiller.Describe(tracked));
        }

        _writer.Commit();
    }

    private void LookForDetached()
    {
        foreach (var process in _drain.Processes)
        {
            if (process.End is null && process.Region.View.OffReason(process.Slot) == OffReason.Detached)
            {
                NoteEnd(process.Id, ProcessEnding.Detached, _shared.ClockNs);
                ProcessLeft?.Invoke(process.Id);
            }
        }
    }

    private void LookForRuntimes()
    {
        foreach (var region in _drain.Regions)
        {
            if (region.Modules.HasNew)
            {
                region.RefreshModules();
            }
        }

        while (_shared.RuntimesSeen.TryDequeue(out var seen))
        {
            RuntimeSeen?.Invoke(seen.Process, seen.IsCertain);
        }

        var code = _shared.Registry.Code;
        for (; _codeSeen < code.Count; _codeSeen++)
        {
            if (_codeSeen == 0 || code[_codeSeen].Process != code[_codeSeen - 1].Process)
            {
                RuntimeSeen?.Invoke(code[_codeSeen].Process, false);
            }

            CodeSeen?.Invoke(code[_codeSeen].Process, code[_codeSeen].Address);
        }
    }

    private void RefreshModules()
    {
        foreach (var region in _drain.Regions)
        {
            region.RefreshModules();
        }
    }
}
