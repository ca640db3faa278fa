using CsCheck;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>A target may write anything into its region; the collector lives on and the trace stays readable.</summary>
public sealed unsafe class HostileTargetTests
{
    private static Gen<ulong> Words { get; } = Gen.OneOf(
        Gen.ULong, Gen.ULong[0, 40], Gen.Const(ulong.MaxValue), Gen.Const(0x7000_1000UL));

    // Events with fields that are small often enough to mean something.
    private static Gen<ulong[]> Events { get; } =
        Gen.Select(Gen.Int[1, 7], Gen.ULong[0, 40], Words, Words, Words, Words).Select((kind, payload, a, b, c, d) =>
        {
            ulong head = ((ulong)kind << (int)WireConstants.KindShift) | (payload * 16);
            ulong small = (a & 0xF) | ((b & 0xF) << 32);
            return (EventKind)kind switch
            {
                EventKind.Alloc => new[] { head, a, c % 3 == 0 ? b : small },
                EventKind.Release => [head, small],
                EventKind.Resize => [head, a, b % 640, small, c % 2 == 0 ? small : d],
                EventKind.Thread => [head, small & 0x3_0000_0003],
                EventKind.Time => [((ulong)kind << (int)WireConstants.KindShift) | (Target.StartNs + (a >> 30))],
                EventKind.Pad => [((ulong)kind << (int)WireConstants.KindShift) | 8],
                _ => [head, d],
            };
        });

    [Fact]
    public void Any_events_make_a_trace_that_can_be_read()
    {
        Gen.Select(Events.Array[0, 200], Events.Array[0, 200], Gen.Int[0, 255], Words, Gen.Int[0, 7]).Sample(
            (first, second, place, word, pid) =>
            {
                using var recorder = new Recorder();
                var target = new Target();
                var process = recorder.Attach(target);
                for (var i = 0; i < 16; i++)
                {
                    target.AddNode((uint)(i / 2), i % 3 == 0 ? (ulong)(i % 9) + 1 : 0x7000_0000 + (ulong)(i * 4096));
                }

                target.AddModule("/lib/libx.so", 0x7000_0000, 0x7001_0000, 0x7000_0000);
                target.Fork(0, 200 + pid);
                var threads = new[] { target.Thread(0, 100), target.Thread(1, 200) };
                foreach (var (thread, events) in threads.Zip([first, second]))
                {
                    foreach (var words in events)
                    {
                        thread.Append(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words.AsSpan()));
                    }

                    recorder.Recording.DrainOnce();
                    recorder.Recording.Commit();
                }

                // Some word of slots, modules or nodes changes under our eyes.
                var tables = new[] { (ulong*)target.View.SlotAt(0), (ulong*)target.View.ModuleAt(0), (ulong*)target.View.NodeAt(0) };
                tables[place % 3][place / 3] = word;
                recorder.At(30);
                using var trace = recorder.Read([process, .. recorder.Found.Select(child => child.Id)]);
                ReadEverything(trace);
            },
            iter: 200,
            threads: 1);
    }

    [Fact]
    public void A_ring_that_cannot_be_read_is_said_and_other_rings_go_on()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var bad = target.Thread(0, 100);
        var good = target.Thread(0, 101);
        bad.Alloc(0x1000, 10, stack);
        bad.Append(BitConverter.GetBytes(99UL << 56));
        good.Alloc(0x2000, 20, stack);
        recorder.Recording.DrainOnce();
        for (var i = 0; i < 1000; i++)
        {
            bad.Alloc(0x3000, 10, stack); // does not wait although nobody reads it
            recorder.Recording.DrainOnce();
        }

        using var trace = recorder.Read(process);
        Assert.Equal((2, 30), (trace.Processes[0].Totals.Allocations, trace.Processes[0].Totals.LiveBytes));
        Assert.Equal("an unreadable record ended the reading of a ring", trace.Processes[0].Note);
        Assert.False(trace.Processes[0].Complete);
        Assert.Equal(1, trace.Info.LostEvents);
    }

    private static void ReadEverything(Trace.TraceReader trace)
    {
        var totals = trace.StackTotals().ToList();
        Assert.Equal(trace.Processes.Sum(process => process.Totals.Allocations), totals.Sum(row => row.Allocations));
        Assert.Equal(trace.Processes.Sum(process => process.Totals.Frees), totals.Sum(row => row.Frees));
        Assert.Equal(trace.Info.Peak!.Bytes, totals.Sum(row => row.PeakBytes));
        Assert.Equal(totals.Sum(row => row.Allocations), trace.Cohorts().Sum(row => row.Blocks));
        Assert.All(trace.Processes, process => Assert.InRange(
            process.Totals.Peak.Bytes, process.Totals.Peak.LowBytes, process.Totals.Peak.HighBytes));
        _ = trace.Timeline().Count() + trace.Snapshots().Count;
        _ = trace.Histogram(Trace.HistogramKind.Size).Count() + trace.Histogram(Trace.HistogramKind.Lifetime).Count();
        foreach (var row in totals)
        {
            for (var stack = row.Stack; stack != StackId.Root; stack = trace.Stacks.Parent(stack))
            {
                Assert.NotNull(trace.Locations[trace.Stacks.Location(stack)]);
            }
        }
    }
}
