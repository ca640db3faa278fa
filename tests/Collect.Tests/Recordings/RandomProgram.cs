using System.Numerics;
using CsCheck;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>
/// A program of several threads that free each other's blocks, held up at random between taking a number and writing
/// the event, read by a collector that comes at random; and the plain account of what it did.
/// </summary>
internal sealed class RandomProgram
{
    private const int Threads = 4;
    private const int Stacks = 3;

    private readonly Recorder _recorder;
    private readonly Target _target;
    private readonly Model.ProcessId _process;
    private readonly List<TargetThread> _threads = [];
    private readonly Queue<long>[] _unpublished = [.. Enumerable.Range(0, Threads).Select(_ => new Queue<long>())];
    private readonly uint[] _stacks;
    private readonly (Step Step, int Thread, int Choice)[] _steps;
    private readonly SortedDictionary<ulong, Block> _live = [];
    private readonly Account[] _accounts = [.. Enumerable.Range(0, Stacks).Select(_ => new Account())];
    private readonly Account[,] _shares = new Account[Threads, Stacks];
    private readonly (ulong Address, bool Own)[] _last = new (ulong, bool)[Threads];
    private readonly SortedDictionary<(HistogramKind Kind, int Bucket), (long Blocks, long Bytes)> _counted = [];
    private long _ms;
    private long _publishedBytes;
    private long _publishedPeak;
    private long _temporary;
    private long _foreign;

    public RandomProgram(Recorder recorder, (Step Step, int Thread, int Choice)[] steps)
    {
        _recorder = recorder;
        _steps = steps;
        _target = new Target();
        _process = recorder.Attach(_target);
        _stacks = [.. Enumerable.Range(0, Stacks).Select(i => _target.AddStack(0x401000 + (ulong)(i * 16)))];
        for (var i = 0; i < Threads; i++)
        {
            var thread = _target.Thread(0, (uint)(100 + i));
            thread.Immediate = false;
            thread.Publish();
            _threads.Add(thread);
        }
    }

    internal enum Step
    {
        Alloc,
        AllocAndFree,
        Free,
        Move,
        Fail,
        FreeForeign,
        Publish,
        Drain,
        Commit,
        Time,
    }

    /// <summary>Random programs.</summary>
    public static Gen<(Step Step, int Thread, int Choice)[]> Steps { get; } =
        Gen.Select(
            Gen.Frequency(
                (8, Gen.Const(Step.Alloc)), (4, Gen.Const(Step.AllocAndFree)), (6, Gen.Const(Step.Free)),
                (3, Gen.Const(Step.Move)),
                (1, Gen.Const(Step.Fail)), (1, Gen.Const(Step.FreeForeign)), (8, Gen.Const(Step.Publish)),
                (3, Gen.Const(Step.Drain)), (1, Gen.Const(Step.Commit)), (1, Gen.Const(Step.Time))),
            Gen.Int[0, Threads - 1],
            Gen.Int[0, 1 << 20]).Array[0, 300];

    /// <summary>Runs the program to its end.</summary>
    public TraceReader Run()
    {
        foreach (var (step, thread, choice) in _steps)
        {
            Do(step, thread, choice);
        }

        for (var i = 0; i < Threads; i++)
        {
            Publish(i, int.MaxValue);
        }

        return _recorder.Read(_process);
    }

    /// <summary>Compares the trace with the account.</summary>
    public void Check(TraceReader trace)
    {
        var totals = trace.Processes[0].Totals;
        Assert.Equal(_accounts.Sum(a => a.Allocations), totals.Allocations);
        Assert.Equal(_accounts.Sum(a => a.AllocatedBytes), totals.AllocatedBytes);
        Assert.Equal(_accounts.Sum(a => a.Frees), totals.Frees);
        Assert.Equal(_accounts.Sum(a => a.FreedBytes), totals.FreedBytes);
        Assert.Equal((_live.Count, _live.Values.Sum(b => b.Bytes)), (totals.LiveBlocks, totals.LiveBytes));
        Assert.Equal(_temporary, totals.TemporaryAllocations);
        Assert.Equal(_foreign, totals.ForeignFrees);
        Assert.True(trace.Info.Complete);
        Assert.InRange(_publishedPeak, totals.Peak.LowBytes, totals.Peak.HighBytes);
        Assert.InRange(totals.Peak.Bytes, totals.Peak.LowBytes, totals.Peak.HighBytes);
        Assert.Equal(totals.Peak, trace.Info.Peak);
        CheckStacks(trace);
        CheckShares(trace);
        CheckCohorts(trace);
        CheckTimeline(trace);
    }

    private void CheckStacks(TraceReader trace)
    {
        var rows = trace.StackTotals().ToDictionary(row => trace.Locations[trace.Stacks.Location(trace.Stacks.Parent(row.Stack))].Offset);
        for (var i = 0; i < Stacks; i++)
        {
            var account = _accounts[i];
            var row = rows.GetValueOrDefault(0x401000 + (ulong)(i * 16));
            Assert.Equal(
                (account.Allocations, account.AllocatedBytes, account.Frees, account.FreedBytes),
                (row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes));
        }

        Assert.Equal(_temporary, rows.Values.Sum(row => row.Temporary));
        Assert.Equal(trace.Processes[0].Totals.Peak.Bytes, rows.Values.Sum(row => row.PeakBytes));
        Assert.Equal(trace.Processes[0].Totals.Peak.Bytes, rows.Values.Sum(row => row.ProcessPeakBytes));
        Assert.Equal(trace.Processes[0].Totals.Peak.Blocks, rows.Values.Sum(row => row.PeakBlocks));
    }

    // A thread's share stands in the stack's own row when no other thread allocated there.
    private void CheckShares(TraceReader trace)
    {
        var threads = trace.Threads().ToDictionary(thread => thread.Id, thread => thread.Tid - 100);
        var sole = trace.StackTotals().Where(row => row.Thread is not null)
            .Select(row => (row.Thread!.Value, row.Stack, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes));
        var shared = trace.ThreadShares()
            .Select(row => (row.Thread, row.Stack, row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes));
        var found = sole.Concat(shared)
            .Select(row => (threads[row.Item1], (int)(trace.Locations[trace.Stacks.Location(trace.Stacks.Parent(row.Stack))].Offset - 0x401000) / 16,
                row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes))
            .Order();
        var expected =
            from thread in Enumerable.Range(0, Threads)
            from stack in Enumerable.Range(0, Stacks)
            let share = _shares[thread, stack]
            where share is not null
            select (thread, stack, share.Allocations, share.AllocatedBytes, share.Frees, share.FreedBytes);
        Assert.Equal(expected, found);
    }

    private void CheckCohorts(TraceReader trace)
    {
        var cohorts = trace.Cohorts().ToList();
        var alive = cohorts.Where(row => row.Death == CohortRow.NeverFreed).ToList();
        Assert.Equal(_live.Count, alive.Sum(row => row.Blocks));
        Assert.Equal(_accounts.Sum(a => a.AllocatedBytes), cohorts.Sum(row => row.Bytes));
        foreach (var (bucket, bytes) in _live.Values.GroupBy(b => b.BirthMs / 10).Select(g => (g.Key, g.Sum(b => b.Bytes))))
        {
            Assert.Equal(bytes, alive.Where(row => row.Birth == bucket).Sum(row => row.Bytes));
        }

        foreach (var kind in (HistogramKind[])[HistogramKind.Size, HistogramKind.Lifetime])
        {
            Assert.Equal(
                from counted in _counted where counted.Key.Kind == kind select (counted.Key.Bucket, counted.Value.Blocks, counted.Value.Bytes),
                from row in trace.Histogram(kind)
                group row by row.Bucket into same
                orderby same.Key
                select (same.Key, same.Sum(row => row.Blocks), same.Sum(row => row.Bytes)));
        }
    }

    private void Count(HistogramKind kind, long value, long bytes)
    {
        var key = (kind, 64 - BitOperations.LeadingZeroCount((ulong)value));
        var (blocks, sum) = _counted.GetValueOrDefault(key);
        _counted[key] = (blocks + 1, sum + bytes);
    }

    private void CheckTimeline(TraceReader trace)
    {
        if (trace.Timeline().LastOrDefault() is { Allocations: > 0 } last)
        {
            Assert.Equal(_accounts.Sum(a => a.Allocations), last.Allocations);
            Assert.Equal(_live.Values.Sum(b => b.Bytes), last.LiveBytes);
        }
    }

    private void Do(Step step, int thread, int choice)
    {
        switch (step)
        {
            case Step.Alloc:
                Alloc(thread, choice);
                break;
            case Step.AllocAndFree:
                Free(thread, Alloc(thread, choice));
                break;
            case Step.Free when _live.Count > 0:
                Free(thread, Pick(choice));
                break;
            case Step.Move when _live.Count > 0:
                Move(thread, choice);
                break;
            case Step.Fail when _live.Count > 0:
                _threads[thread].Resize(Pick(choice), ResizeResult.Failed);
                _unpublished[thread].Enqueue(0);
                break;
            case Step.FreeForeign:
                _threads[thread].Free(0x900000);
                _unpublished[thread].Enqueue(0);
                _foreign++;
                break;
            case Step.Publish:
                Publish(thread, choice % 5);
                break;
            case Step.Drain:
                _recorder.Recording.DrainOnce();
                break;
            case Step.Commit:
                _recorder.Recording.Commit();
                break;
            case Step.Time:
                _ms += choice % 30;
                _recorder.At(_ms);
                break;
        }
    }

    private ulong Alloc(int thread, int choice)
    {
        var address = FreeAddress(choice);
        var bytes = SizeOf(choice);
        _threads[thread].Alloc(address, (ulong)bytes, _stacks[choice % Stacks]);
        Born(thread, address, bytes, choice % Stacks);
        _unpublished[thread].Enqueue(bytes);
        return address;
    }

    private void Free(int thread, ulong address)
    {
        _threads[thread].Free(address);
        Died(thread, address);
    }

    private void Move(int thread, int choice)
    {
        var old = Pick(choice);
        var bytes = SizeOf(choice);
        var inPlace = choice % 2 == 0;
        var address = inPlace ? old : FreeAddress(choice);
        _threads[thread].Move(old, address, (ulong)bytes, _stacks[choice % Stacks]);
        var freed = _live[old].Bytes;
        Died(thread, old, enqueue: false);
        Born(thread, address, bytes, choice % Stacks);
        _unpublished[thread].Enqueue(bytes - freed);
    }

    // Of all octaves; some are of half a TiB and more.
    private static long SizeOf(int choice) => choice % 7 == 0 ? 1L << (choice % 45) : choice % 1000;

    // Few addresses, so that threads get each other's again and again.
    private ulong FreeAddress(int choice)
    {
        var address = 0x10000 + ((ulong)(choice % 24) * 16);
        while (_live.ContainsKey(address))
        {
            address += 16;
        }

        return address;
    }

    private ulong Pick(int choice) => _live.Keys.ElementAt(choice % _live.Count);

    private void Born(int thread, ulong address, long bytes, int stack)
    {
        _live.Add(address, new Block(bytes, stack, thread, _ms));
        _accounts[stack].Allocations++;
        _accounts[stack].AllocatedBytes += bytes;
        var share = _shares[thread, stack] ??= new Account();
        share.Allocations++;
        share.AllocatedBytes += bytes;
        _last[thread] = (address, true);
        Count(HistogramKind.Size, bytes, bytes);
    }

    private void Died(int thread, ulong address, bool enqueue = true)
    {
        var block = _live[address];
        _live.Remove(address);
        Count(HistogramKind.Lifetime, (_ms - block.BirthMs) * 1000, block.Bytes);
        _accounts[block.Stack].Frees++;
        _accounts[block.Stack].FreedBytes += block.Bytes;
        _shares[block.Thread, block.Stack].Frees++;
        _shares[block.Thread, block.Stack].FreedBytes += block.Bytes;
        if (block.Thread == thread && _last[thread].Address == address)
        {
            _temporary++;
            _last[thread] = default;
        }

        if (enqueue)
        {
            _unpublished[thread].Enqueue(-block.Bytes);
        }
    }

    // Time events are published with the heap event that follows them.
    private void Publish(int thread, int events)
    {
        for (; events > 0 && _unpublished[thread].TryDequeue(out var bytes); events--)
        {
            while (_threads[thread].PublishOne() is EventKind.Time or EventKind.Thread)
            {
            }

            _publishedBytes += bytes;
            _publishedPeak = Math.Max(_publishedPeak, _publishedBytes);
        }
    }

    private sealed record Block(long Bytes, int Stack, int Thread, long BirthMs);

    private sealed class Account
    {
        public long Allocations { get; set; }

        public long AllocatedBytes { get; set; }

        public long Frees { get; set; }

        public long FreedBytes { get; set; }
    }
}
