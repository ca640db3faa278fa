using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Fixtures;

/// <summary>
/// A trace of the size that questions must be answered from at once: 100 million allocations by 100,000 stacks whose tree
/// has some 800,000 nodes, over an hour. Figures of all tables agree, but for the shares in the peak. Always the same.
/// </summary>
public sealed class LargeTrace
{
    private const int Stacks = 100_000;
    private const int AllocationsEach = 1_000;
    private const int Modules = 60;
    private const int Functions = 20_000;
    private const int Locations = 60_000;
    private const int Threads = 8;
    private const int Buckets = 900;
    private const long BucketNs = 4_000_000_000;
    private const int CohortsEach = 4;

    private static readonly ProcessId s_process = new(1);

    private readonly Random _random = new(1);
    private readonly TraceWriter _writer;
    private readonly List<StackId> _leaves = [];
    private readonly long[] _born = new long[Buckets];
    private readonly long[] _bornBytes = new long[Buckets];
    private readonly long[] _change = new long[Buckets + 1];
    private readonly long[] _changeBlocks = new long[Buckets + 1];
    private int _nodes;

    private LargeTrace(TraceWriter writer) => _writer = writer;

    /// <summary>Writes it.</summary>
    /// <param name="path">A file that is replaced when it exists.</param>
    public static void Write(string path)
    {
        using var writer = TraceWriter.Create(path, overwrite: true);
        new LargeTrace(writer).WriteAll();
    }

    private void WriteAll()
    {
        _writer.Begin();
        WriteMeta();
        WritePlaces();
        WriteTree();
        for (var id = 1; id <= Threads; id++)
        {
            _writer.Put(new ThreadRow(id, s_process, 1000 + id, $"worker {id}", 0, 0, 0));
        }

        foreach (var number in (int[])[1, 2])
        {
            _writer.AddSnapshot(new Snapshot(number, null, "interval", number * 1_000_000_000_000));
        }

        foreach (var leaf in _leaves)
        {
            WriteStack(leaf);
        }

        WriteTimeline();
        _writer.Commit();
        _writer.Close(Buckets * BucketNs, complete: true);
    }

    private void WriteMeta()
    {
        foreach (var (key, value) in ((string, long)[])[
            ("start_unix_ns", 1_700_000_000_000_000_000), ("start_monotonic_ns", 1), ("exact", 1), ("sample_bytes", 0),
            ("bucket_ns", BucketNs), ("lost_events", 0)])
        {
            _writer.SetMeta(key, value);
        }

        _writer.SetMeta("tool_version", "0.1.0");
        _writer.SetMeta("command", """["./server"]""");
    }

    private void WritePlaces()
    {
        for (var id = 1; id <= Modules; id++)
        {
            _writer.AddModule(id, new Binary($"/opt/server/lib/libpart{id}.so", $"{id:x40}"));
        }

        _writer.AddLocation(new LocationId(1), null, (ulong)EntryPoint.Malloc, FrameKind.Entry);
        for (var id = 2; id <= Locations; id++)
        {
            var function = id % Functions;
            _writer.AddLocation(new LocationId(id), 1 + (function % Modules), (ulong)(0x1000 + (id * 16)), FrameKind.Native);
            _writer.WriteFrames(new LocationId(id), Names(function, id));
        }
    }

    private static ResolvedFrame[] Names(int function, int id)
    {
        var own = new ResolvedFrame(
            $"server::part{function % Modules}::Handler<std::vector<int>>::step{function}(std::string const&, int)",
            $"/src/server/part{function % Modules}/file{function % 2000}.cpp",
            10 + (id % 500),
            false);
        return id % 5 == 0
            ? [new ResolvedFrame($"inlined{function % 100}", "/src/server/inline.h", function % 300, true), own]
            : [own];
    }

    // Paths leave each other at a random depth, so that a stack has about seven nodes of its own.
    private void WriteTree()
    {
        var path = new List<int>();
        while (_leaves.Count < Stacks)
        {
            var shared = Math.Min(path.Count, 12 + _random.Next(30));
            path.RemoveRange(shared, path.Count - shared);
            var depth = Math.Max(shared + 1, 15 + _random.Next(30));
            while (path.Count < depth)
            {
                path.Add(AddNode(path.Count == 0 ? 0 : path[^1], 2 + _random.Next(Locations - 2)));
            }

            _leaves.Add(new StackId(AddNode(path[^1], 1)));
        }
    }

    private int AddNode(int parent, int location)
    {
        _writer.AddStack(new StackId(++_nodes), new StackId(parent), new LocationId(location));
        return _nodes;
    }

    private void WriteStack(StackId leaf)
    {
        var size = 16 + _random.Next(2000);
        var freed = 0;
        var left = AllocationsEach;
        var births = Enumerable.Range(0, CohortsEach).Select(_ => _random.Next(Buckets - 20)).Distinct().Order().ToList();
        for (var i = 0; i < births.Count; i++)
        {
            var blocks = i == births.Count - 1 ? left : left / 2;
            left -= blocks;
            var lives = _random.Next(4) == 0;
            var death = lives ? CohortRow.NeverFreed : births[i] + _random.Next(20);
            freed += lives ? 0 : blocks;
            _writer.Add(new CohortRow(s_process, leaf, births[i], death, blocks, (long)blocks * size));
            Count(births[i], death, blocks, size);
        }

        var live = AllocationsEach - freed;
        var shared = _random.Next(3) == 0;
        _writer.Put(new StackTotalRow(
            s_process, leaf, AllocationsEach, (long)AllocationsEach * size, freed, (long)freed * size, freed / 10,
            freed / 10 * (long)size, live, (long)live * size, live, (long)live * size, shared ? null : 1 + _random.Next(Threads)));
        WriteShares(leaf, shared, size, freed);
        WriteHistograms(leaf, size, freed);
        if (live > 0 && _random.Next(2) == 0)
        {
            _writer.AddSnapshotTotal(1, new SnapshotRow(s_process, leaf, live / 2, live / 2 * (long)size));
            _writer.AddSnapshotTotal(2, new SnapshotRow(s_process, leaf, live, live * (long)size));
        }
    }

    private void WriteShares(StackId leaf, bool shared, int size, int freed)
    {
        for (var thread = 1; shared && thread <= 2; thread++)
        {
            var (blocks, gone) = thread == 1
                ? (AllocationsEach / 2, freed / 2)
                : (AllocationsEach - (AllocationsEach / 2), freed - (freed / 2));
            _writer.Add(new ThreadShareRow(thread, leaf, blocks, (long)blocks * size, gone, (long)gone * size));
        }
    }

    private void WriteHistograms(StackId leaf, int size, int freed)
    {
        var bucket = 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)size);
        _writer.Add(new HistogramRow(s_process, leaf, bucket, AllocationsEach, (long)AllocationsEach * size), HistogramKind.Size);
        for (var (i, left) = (10, freed); left > 0; i += 3)
        {
            var blocks = i > 20 ? left : Math.Max(1, left / 2);
            left -= blocks;
            _writer.Add(new HistogramRow(s_process, leaf, i, blocks, (long)blocks * size), HistogramKind.Lifetime);
        }
    }

    private void Count(int birth, int death, int blocks, int size)
    {
        _born[birth] += blocks;
        _bornBytes[birth] += (long)blocks * size;
        _change[birth] += (long)blocks * size;
        _changeBlocks[birth] += blocks;
        if (death != CohortRow.NeverFreed)
        {
            _change[death + 1] -= (long)blocks * size; // they were there at the last edge before
            _changeBlocks[death + 1] -= blocks;
        }
    }

    private void WriteTimeline()
    {
        var (live, blocks, born, bornBytes, peak, peakBlocks, peakNs) = (0L, 0L, 0L, 0L, 0L, 0L, 0L);
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            live += _change[bucket];
            blocks += _changeBlocks[bucket];
            born += _born[bucket];
            bornBytes += _bornBytes[bucket];
            if (live > peak)
            {
                (peak, peakBlocks, peakNs) = (live, blocks, bucket * BucketNs);
            }

            _writer.Put(new TimelineRow(s_process, bucket * BucketNs, blocks, live, live, born, bornBytes, live + (64 << 20)));
            _writer.Put(s_process, new Ledger(bucket * BucketNs, live + (64 << 20), [new LedgerPart("heap", live)], 64 << 20));
        }

        var last = new Peak { Bytes = peak, Blocks = peakBlocks, TimeNs = peakNs, LowBytes = peak, HighBytes = peak };
        _writer.Put(new ProcessInfo
        {
            Id = s_process,
            Pid = 1000,
            Command = "./server",
            Executable = "/opt/server/server",
            EndNs = Buckets * BucketNs,
            Ending = ProcessEnding.Exit,
            ExitCode = 0,
            Complete = true,
            Totals = new Totals
            {
                Allocations = born,
                AllocatedBytes = bornBytes,
                Frees = born - blocks,
                FreedBytes = bornBytes - live,
                LiveBlocks = blocks,
                LiveBytes = live,
                Peak = last,
            },
        });
        foreach (var (key, value) in ((string, long)[])[
            ("peak_bytes", peak), ("peak_blocks", peakBlocks), ("peak_time_ns", peakNs), ("peak_low_bytes", peak),
            ("peak_high_bytes", peak)])
        {
            _writer.SetMeta(key, value);
        }
    }
}
