using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>Recordings in which births are recorded all at one time and as samples at another.</summary>
public sealed class SwitchedTests
{
    private const ulong Mean = 1000;
    private const ulong Size = 99; // one of ten
    private const ulong Kept = WireConstants.SamplingKept;

    private readonly Target _target = new(new TargetMemory(keepsBlocks: true));

    [Fact]
    public void Exact_blocks_and_samples_of_one_stack_count_each_in_its_way()
    {
        using var recorder = new Recorder();
        var process = recorder.Attach(_target);
        var stack = _target.AddStack(0x401000);
        var thread = _target.Thread(0, 100);
        thread.Alloc(0x1000, Size, stack);
        thread.Alloc(0x2000, Size, stack);
        thread.Sample(0x3000, Size, stack, Mean);
        thread.Sample(0x4000, Size, stack, Mean * 10);
        thread.Free(0x1000, amongSamples: true);
        recorder.Recording.DrainOnce();
        var before = recorder.Recording.Processes[0].Totals;
        Assert.InRange(before.Allocations, 2 + 10 + 100, 2 + 11 + 101);
        Assert.Equal((1, before.Allocations - 1), (before.Frees, before.LiveBlocks));
        thread.FreeSample(0x3000, Size, Mean);
        thread.FreeSample(0x4000, Size, Mean * 10, flags: 0); // when all births are recorded again

        using var trace = recorder.Read(process);
        var totals = trace.Processes[0].Totals;
        Assert.Equal((1, (long)Size), (totals.LiveBlocks, totals.LiveBytes));
        Assert.Equal((totals.Allocations - 1, 0), (totals.Frees, totals.ForeignFrees));
        var row = Assert.Single(trace.StackTotals());
        Assert.Equal((totals.Allocations, totals.Frees), (row.Allocations, row.Frees));
    }

    [Fact]
    public void Frees_of_blocks_that_nobody_knows_count_when_all_are_told()
    {
        using var recorder = new Recorder();
        var process = recorder.Attach(_target);
        var thread = _target.Thread(0, 100);
        thread.Free(0x1000, amongSamples: true);
        var child = _target.Fork(0, 101);
        _target.Thread(child, 101).Free(0x1000);
        recorder.Recording.DrainOnce();
        Assert.True(recorder.Recording.Sample(process, (long)Mean, SamplingReasons.Asked, _target.ClockNs));
        Assert.False(recorder.Recording.Sample(process, (long)Mean, SamplingReasons.Asked, _target.ClockNs));
        Assert.True(recorder.Recording.Sample(process, 0, SamplingReasons.Asked, _target.ClockNs));
        thread.Free(0x2000);
        _target.Thread(child, 101).Free(0x2000); // its parent's, or one that it was let pass
        var late = _target.Fork(0, 102);
        _target.Thread(late, 102).Free(0x2000);

        using var trace = recorder.Read(process);
        Assert.Equal([(0L, 1L), (1L, 1L), (0L, 1L)], trace.Processes.Select(each => (each.Totals.InheritedFrees, each.Totals.ForeignFrees)));
    }

    [Fact]
    public void Temporary_is_what_its_thread_freed_before_any_other_allocation_whether_that_was_recorded_or_let_pass()
    {
        using var recorder = new Recorder();
        var process = recorder.Attach(_target);
        var stack = _target.AddStack(0x401000);
        var thread = _target.Thread(0, 100);
        const uint Alone = WireConstants.SampleTemporary; // as far as the shim knows
        thread.Sample(0x1000, 99_999, stack, Mean);
        thread.FreeSample(0x1000, 99_999, Mean, Alone); // yes
        thread.Sample(0x1000, 99_999, stack, Mean);
        thread.Alloc(0x2000, 1, stack);
        thread.FreeSample(0x1000, 99_999, Mean, Alone);
        thread.Sample(0x1000, 99_999, stack, Mean);
        thread.FreeSample(0x1000, 99_999, Mean, flags: 0);
        thread.Alloc(0x3000, 1, stack);
        thread.Free(0x3000, amongSamples: true);

        using var trace = recorder.Read(process);
        Assert.Equal(1, trace.Processes[0].Totals.TemporaryAllocations);
    }

    [Fact]
    public unsafe void The_region_names_the_blocks_that_are_kept_until_they_die()
    {
        using var recorder = new Recorder();
        var process = recorder.Attach(_target);
        var stack = _target.AddStack(0x401000);
        var thread = _target.Thread(0, 100);
        thread.Alloc(0x1000, Size, stack);
        thread.Alloc(0x2000, Size, stack);
        recorder.Recording.DrainOnce();
        recorder.Recording.Sample(process, (long)Mean, SamplingReasons.Asked, _target.ClockNs);
        Assert.Equal(Kept | Mean, Word());
        thread.Alloc(0x3000, Size, stack); // was under way
        thread.Sample(0x4000, Size, stack, Mean);
        recorder.At(199);
        recorder.Recording.DrainOnce();
        Assert.Equal(Kept | Mean, Word());
        recorder.At(200);
        recorder.Recording.DrainOnce();
        Assert.True((Word() >> (int)WireConstants.SamplingBitsShift & 63) > 3);
        Assert.Equal((true, true, true, false), (Names(0x1000), Names(0x2000), Names(0x3000), Names(0x4000)));

        thread.Free(0x1000, amongSamples: true);
        thread.Alloc(0x5000, Size, stack); // written late: the shim knows of it
        recorder.Recording.DrainOnce();
        Assert.Equal((false, true, true), (Names(0x1000), Names(0x2000), Names(0x5000)));
        recorder.Recording.Sample(process, (long)Mean * 2, SamplingReasons.Asked, _target.ClockNs);
        Assert.Equal((Mean * 2, true), (Word() & WireConstants.SamplingMean, Names(0x2000)));

        recorder.Recording.Sample(process, 0, SamplingReasons.Asked, _target.ClockNs);
        Assert.Equal(0UL, Word());
        thread.Free(0x2000);
        recorder.Recording.Sample(process, (long)Mean, SamplingReasons.Asked, _target.ClockNs);
        Assert.Equal(Kept | Mean, Word());
        recorder.At(400);
        recorder.Recording.DrainOnce();
        Assert.Equal((false, true), (Names(0x2000), Names(0x5000)));
    }

    [Fact]
    public unsafe void Nothing_is_kept_where_no_block_lives_and_everything_where_there_is_no_room()
    {
        using var recorder = new Recorder();
        var process = recorder.Attach(_target);
        recorder.Recording.Sample(process, (long)Mean, SamplingReasons.Asked, _target.ClockNs);
        recorder.At(1000);
        recorder.Recording.DrainOnce();
        Assert.Equal(Mean, Word());

        var small = new Target(new TargetMemory());
        var other = recorder.Attach(small, Target.Introduction() with { Pid = 4711 });
        small.Thread(0, 4711).Alloc(0x1000, Size, small.AddStack(0x401000));
        recorder.Recording.Sample(other, (long)Mean, SamplingReasons.Asked, small.ClockNs);
        recorder.At(5000);
        recorder.Recording.DrainOnce();
        Assert.Equal(Kept | Mean, small.View.Header->Sampling);
    }

    [Fact]
    public void Samples_at_a_mean_that_cannot_be_are_not_believed()
    {
        using var recorder = new Recorder();
        var process = recorder.Attach(_target);
        var stack = _target.AddStack(0x401000);
        var thread = _target.Thread(0, 100);
        thread.Sample(0x1000, Size, stack, 0);
        thread.Sample(0x2000, Size, stack, WireConstants.SamplingMean + 1);
        for (ulong mean = 1; mean <= 70; mean++)
        {
            thread.Sample(0x10000 + (mean * 16), 1 << 20, stack, mean); // each stands for itself
        }

        recorder.End(process);
        using var trace = recorder.Read();
        Assert.Equal(64, trace.Processes[0].Totals.Allocations);
        Assert.True(trace.Info.LostEvents >= 8);
    }

    private unsafe ulong Word() => _target.View.Header->Sampling;

    private unsafe bool Names(ulong address)
    {
        var bits = (int)(Word() >> (int)WireConstants.SamplingBitsShift) & 63;
        var place = ((address >> 4) * WireConstants.StripeMultiplier) >> (64 - bits);
        return ((((byte*)_target.View.Header) + _target.View.Header->KeptOffset)[place / 8] >> (int)(place % 8) & 1) != 0;
    }
}
