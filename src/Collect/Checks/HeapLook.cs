using System.Globalization;
using NativeHeap.Collect.Server;
using NativeHeap.Collect.Sessions;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Collect.Checks;

/// <summary>What a look at a heap found.</summary>
/// <param name="StartedNs">CLOCK_MONOTONIC when the process was stopped.</param>
/// <param name="HeldNs">How long it stood still.</param>
/// <param name="IsComplete">Whether its memory could be looked at.</param>
/// <param name="Graph">In the form in which the trace keeps it.</param>
internal sealed record Finding(ulong StartedNs, long HeldNs, bool IsComplete, byte[] Graph);

/// <summary>Holds a process and looks at its heap, by the ways that this system allows. For the thread of checks, where nothing
/// else is said.</summary>
internal sealed class HeapLook : IDisposable
{
    /// <summary>How long a process may take to stand still.</summary>
    public static readonly TimeSpan HoldPatience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly DrainLoop _drain;
    private readonly IHeapExaminer _examiner;
    private readonly TimeSpan _limit;
    private readonly Lazy<Tracer> _tracer; // who only records pays for no threads
    private readonly CancellationTokenSource _closing = new();

    /// <summary>A look that holds nobody yet.</summary>
    /// <param name="drain">Owns the recording.</param>
    /// <param name="examiner">Looks at what is held.</param>
    /// <param name="limit">How long that may take.</param>
    /// <param name="ending">Told of each process that is followed and at its end; on the tracer's thread.</param>
    public HeapLook(DrainLoop drain, IHeapExaminer examiner, TimeSpan limit, EventHandler<ProcessEndEventArgs> ending)
    {
        _drain = drain;
        _examiner = examiner;
        _limit = limit;
        _tracer = new Lazy<Tracer>(() =>
        {
            var tracer = new Tracer();
            tracer.Ending += ending;
            return tracer;
        });
    }

    /// <summary>Whether processes may be traced; else their threads park. Any thread.</summary>
    public bool MayTrace { get; } = Tracer.IsPossible;

    /// <summary>Whether also those may be read that their user may not read. Any thread.</summary>
    public bool MayReadAll { get; } = Tracer.IsPossible && Tracer.HasCapability;

    /// <summary>Set by <see cref="Cancel"/>. Any thread.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>Ends looks that are under way. Any thread.</summary>
    public void Cancel() => _closing.Cancel();

    /// <summary>Traces a process to its end. Any thread.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <returns>Null on success, else why not.</returns>
    public string? Follow(int pid) => _tracer.Value.Follow(pid);

    /// <summary>Asks the recording's thread, at most for half a minute.</summary>
    public T Ask<T>(Func<Recording, T> question) => _drain.Ask(question, s_patience, _closing.Token);

    /// <summary>Lets everybody go.</summary>
    public void Dispose()
    {
        if (_tracer.IsValueCreated)
        {
            _tracer.Value.Dispose();
        }
    }

    /// <summary>Holds a process, by whatever way there is.</summary>
    /// <param name="process">Its row.</param>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="problem">Why it cannot be held.</param>
    public IHeldProcess? TryHold(ProcessId process, int pid, out string? problem)
    {
        var parking = new ThreadParking(_drain, process, _closing.Token);
        if (!MayTrace)
        {
            return ParkedProcess.TryPark(pid, parking, HoldPatience, out problem);
        }

        problem = null;
        if (!MayReadAll && !ParkedProcess.CanRead(pid)
            && CopiedProcess.TryTake(pid, parking, HoldPatience, out _) is { } copy)
        {
            return copy;
        }

        // One that can neither be read nor copied is held all the same: what it has not freed is known.
        return _tracer.Value.TryHold(pid, HoldPatience, out problem);
    }

    /// <summary>Takes the blocks of a held process. Null when its recording knows it no more: then it goes on.</summary>
    /// <param name="process">Its row.</param>
    /// <param name="held">Disposed with what is returned, by the caller.</param>
    /// <param name="stackStarts">By thread, where its stack counts from.</param>
    public HeldHeap? Take(ProcessId process, IHeldProcess held, IReadOnlyDictionary<int, ulong> stackStarts)
    {
        HeldHeap? heap = null;
        try
        {
            var (blocks, ignored) = Ask(recording => (recording.TakeBlocks(process), recording.IgnoredBlocks(process)));
            if (blocks is not null)
            {
                ulong? wentOn = held.GoOnIfCopied() ? Heartbeat.Clock() : null;
                heap = new HeldHeap(
                    process, held, blocks, ShimMemory.Find(held), stackStarts, ignored, ShimMemory.RootRegions(held))
                {
                    WentOnNs = wentOn,
                };
            }
        }
        finally
        {
            if (heap is null)
            {
                held.Dispose();
            }
        }

        return heap;
    }

    /// <summary>Looks at it. It goes on as soon as nothing more is to be read; but of one at its end the check is to be known
    /// before the end is, and the caller lets it go.</summary>
    /// <param name="heap">Its blocks are disposed.</param>
    /// <param name="started">CLOCK_MONOTONIC when it was stopped.</param>
    /// <param name="isEnding">Whether it is at its end.</param>
    public Finding Examine(HeldHeap heap, ulong started, bool isEnding = false)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
        time.CancelAfter(_limit);
        using var blocks = heap.Blocks;
        var encode = TryExamine(heap, time.Token, out var problem);
        var heldNs = (long)((heap.WentOnNs ?? Heartbeat.Clock()) - started);
        if (!isEnding)
        {
            heap.Held.Dispose();
        }

        var graph = problem is null
            ? encode!()
            : _examiner.NotFreed(blocks, false, "not freed, reachability unknown: " + problem);
        return new Finding(started, heldNs, problem is null, graph);
    }

    private Func<byte[]>? TryExamine(HeldHeap heap, CancellationToken cancellation, out string? problem)
    {
        Func<byte[]>? encode = null;
        if (heap.Held.Mappings.Count == 0)
        {
            problem = "its memory may not be read";
            return null;
        }

        try
        {
            encode = _examiner.Examine(heap, cancellation);
            problem = null;
        }
        catch (OperationCanceledException)
        {
            problem = _closing.IsCancellationRequested
                ? HeapChecks.RecordingEnded
                : $"the check took longer than {_limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s";
        }

        problem = heap.Held.IsThere ? problem : "it died while it was looked at";

        return encode;
    }
}
