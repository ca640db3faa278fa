using CsCheck;
using NativeHeap.Collect.Raw;
using NativeHeap.Collect.Tests.Recordings;
using NativeHeap.Model;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Tests.Raw;

/// <summary>Raw files become recordings, whatever is in them.</summary>
public sealed class RawConversionTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_moved_out_of_full_rings_counts_with_what_was_left_in_them()
    {
        var program = new RawProgram();
        var stack = program.Target.AddStack(0x401000);
        var one = program.Target.Thread(0, 100);
        var two = program.Target.Thread(0, 101);
        two.Alloc(0x900000, 7, stack); // and silent for long: it stays in its ring
        for (ulong i = 1; i <= 1000; i++)
        {
            program.Target.ClockNs += 1_000_000;
            one.Alloc(i * 64, 10, stack);
            if (i > 100)
            {
                one.Free((i - 100) * 64);
            }
        }
        two.Free(0x900000);
        program.LeaveUnfinished();
        program.Spill(0, isKilled: true); // in the file and in the ring

        using var trace = Convert(program.ToBytes());
        var process = Assert.Single(trace.Processes);
        Assert.True(trace.Info.Complete);
        Assert.Equal((1001L, 901L, 100L, 1000L), (process.Totals.Allocations, process.Totals.Frees, process.Totals.LiveBlocks, process.Totals.LiveBytes));
        Assert.Equal(ProcessEnding.Unknown, process.Ending);
        Assert.Equal("program -x", process.Command);
        Assert.Equal(1000, process.EndNs / 1_000_000);
        Assert.Equal(1017, process.Totals.Peak.HighBytes); // a few blocks more than ever lived at once: bounds, but tight
    }

    [Fact]
    public void A_forked_child_begins_when_it_was_forked()
    {
        var program = new RawProgram();
        var stack = program.Target.AddStack(0x401000);
        var parent = program.Target.Thread(0, 100);
        parent.Alloc(64, 10, stack);
        program.Target.ClockNs += 500_000_000;
        var slot = program.Target.Fork(0, 200);
        program.Target.Thread(slot, 200).Free(64);
        program.Target.ClockNs += 500_000_000;
        parent.Alloc(128, 5, stack);

        using var trace = Convert(program.ToBytes());
        var processes = trace.Processes;
        Assert.Equal([15L, 0], processes.Select(process => process.Totals.LiveBytes));
        Assert.Equal((500_000_000L, 1L), (processes[1].StartNs, processes[1].Totals.InheritedFrees));
        Assert.True(trace.Info.Complete);
    }

    [Fact]
    public void A_program_that_was_executed_follows_in_the_same_trace()
    {
        var first = new RawProgram();
        first.Target.Thread(0, 100).Alloc(64, 10, first.Target.AddStack(0x401000));
        var second = new RawProgram();
        second.Target.ClockNs = Target.StartNs + 3_000_000;
        second.Target.Thread(0, 100).Alloc(64, 20, second.Target.AddStack(0x401000));

        using var trace = Convert(second.ToBytes(Target.StartNs + 2_000_000), first.ToBytes());
        Assert.Equal(
            [(10L, ProcessEnding.Exec), (20, ProcessEnding.Unknown)],
            trace.Processes.Select(process => (process.Totals.AllocatedBytes, process.Ending!.Value)));
        Assert.Equal(ProcessOrigin.Exec, trace.Processes[1].Origin);
    }

    [Fact]
    public void A_lost_chunk_ends_its_ring_and_the_trace_is_not_complete()
    {
        var program = new RawProgram();
        var thread = program.Target.Thread(0, 100);
        var stack = program.Target.AddStack(0x401000);
        thread.Alloc(64, 10, stack);
        program.Spill(0);
        var file = program.ToBytes().Length;
        thread.Alloc(128, 20, stack);
        program.Spill(0);
        thread.Alloc(192, 40, stack);
        var bytes = program.ToBytes();
        Array.Clear(bytes, file - 4096 - 16, 4096 + 16); // the first chunk

        using var trace = Convert(bytes);
        Assert.False(trace.Info.Complete);
        Assert.Equal(0, trace.Processes.Single().Totals.Allocations);
    }

    [Fact]
    public unsafe void A_ring_that_ends_elsewhere_than_what_was_moved_out_of_it_shows()
    {
        var program = new RawProgram();
        var thread = program.Target.Thread(0, 100);
        var stack = program.Target.AddStack(0x401000);
        thread.Alloc(64, 10, stack);
        program.Spill(0);
        var before = program.Target.View.RingAt(0)->Head;
        thread.Alloc(128, 20, stack);
        program.Spill(0);
        var bytes = program.ToBytes();
        program.Target.View.RingAt(0)->Head = program.Target.View.RingAt(0)->Tail = before;
        using var early = Convert(program.ToBytes());
        Array.Clear(bytes, bytes.Length - 4096 - 16, 4096 + 16); // the last chunk, and nothing was left in the ring
        using var cut = Convert(bytes);

        Assert.Equal((false, false), (early.Info.Complete, cut.Info.Complete));
        Assert.Equal(1, cut.Processes.Single().Totals.Allocations);
    }

    [Fact]
    public unsafe void Children_that_found_no_slot_are_missing_and_the_trace_says_so()
    {
        var program = new RawProgram();
        program.Target.Thread(0, 100).Alloc(64, 10, program.Target.AddStack(0x401000));
        program.Target.View.Header->UnrecordedChildren = 3;

        using var trace = Convert(program.ToBytes());
        Assert.False(trace.Info.Complete);
        Assert.Contains("not recorded", trace.Processes.Single().Note, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_damage_is_refused_or_shows()
    {
        var program = new RawProgram();
        var stack = program.Target.AddStack(0x401000, 0x402000);
        program.Target.AddModule("/lib/x.so", 0x400000, 0x500000, 0);
        var thread = program.Target.Thread(0, 100);
        for (ulong i = 1; i <= 400; i++)
        {
            program.Target.ClockNs += 5_000_000;
            thread.Alloc(i * 64, 10, stack);
        }
        program.Target.Thread(program.Target.Fork(0, 200), 200).Alloc(64, 3, stack);
        var whole = program.ToBytes();
        // Where something stands, and anywhere.
        var filled = Enumerable.Range(0, whole.Length).Where(at => whole[at] != 0).ToArray();
        var places = Gen.OneOf(Gen.Int[0, filled.Length - 1].Select(at => filled[at]), Gen.Int[0, whole.Length - 1]);

        Gen.Select(places, Gen.Byte, Gen.Int[0, 100]).Array[1, 4].Sample(
            changes =>
            {
                var bytes = whole.ToArray();
                foreach (var (at, value, _) in changes)
                {
                    bytes[at] = value;
                }
                if (changes[0].Item3 < 10)
                {
                    bytes = bytes[..changes[0].Item1];
                }
                try
                {
                    using var trace = Convert(bytes);
                    Assert.InRange(trace.Processes.Sum(process => process.Totals.Allocations), 0, 1000);
                }
                catch (ToolException error)
                {
                    Assert.Equal(ExitCodes.Input, error.ExitCode);
                    Assert.DoesNotContain('\n', error.Message);
                }
            },
            iter: 300,
            threads: 1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(4095)]
    [InlineData(5000)]
    public void What_is_no_raw_file_is_refused(int length)
    {
        var error = Assert.Throws<ToolException>(() => Convert(new RawProgram().ToBytes()[..length]));
        Assert.Equal(ExitCodes.Input, error.ExitCode);
    }

    private TraceReader Convert(params byte[][] contents)
    {
        var files = new List<RawFile>();
        try
        {
            foreach (var bytes in contents)
            {
                var name = _folder[$"{Guid.NewGuid():N}.raw"];
                File.WriteAllBytes(name, bytes);
                files.Add(RawFile.Open(name));
            }
            var path = _folder[$"{Guid.NewGuid():N}.nheap"];
            using var writer = TraceWriter.Create(path);
            using var recording = new Recording(writer) { StartUnixNs = files[0].StartUnixNs };
            var conversion = new RawConversion(recording, files);
            conversion.Run(areRunning: false, CancellationToken.None);
            recording.Close(conversion.EndNs);
            return TraceReader.Open(path);
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }
}
