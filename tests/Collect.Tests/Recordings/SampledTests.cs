using NativeHeap.Collect.Heap;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>Recordings of samples: each stands for the blocks that its size's probability says.</summary>
public sealed class SampledTests
{
    private const ulong Mean = 1000;

    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1000, 0)]
    [InlineData(1000, 999)]
    [InlineData(1000, 5000)]
    [InlineData(524288, 24)]
    public void Weights_are_one_by_the_probability_on_average(ulong mean, ulong bytes)
    {
        const int Count = 100_000;
        var weight = new SampleWeight(mean);
        var expected = 1 / (1 - Math.Exp(-(bytes + 1.0) / mean));
        long blocks = 0, allBytes = 0;
        for (var i = 0; i < Count; i++)
        {
            var (count, size) = weight.Of(0x7F0000001000 + ((ulong)i * 16), bytes, (uint)i, luck: 0);
            blocks += count;
            allBytes += size;
        }

        // Rounding up or down is what varies, by at most half a block or byte each.
        var bound = 6 * 0.5 / Math.Sqrt(Count);
        Assert.InRange(blocks / (double)Count, expected - bound, expected + bound);
        Assert.InRange(allBytes / (double)Count, (expected * bytes) - bound, (expected * bytes) + bound);
    }

    [Fact]
    public void Blocks_of_one_address_and_millisecond_are_rounded_each_for_itself()
    {
        const int Count = 2000;
        const ulong Bytes = 4096;
        var weight = new SampleWeight(1024);
        var expected = 1 / (1 - Math.Exp(-(Bytes + 1.0) / 1024));
        var blocks = 0L;
        for (var luck = 0u; luck < Count; luck++)
        {
            blocks += weight.Of(0x1000, Bytes, birthMs: 7, luck).Blocks;
        }

        var part = expected - Math.Floor(expected);
        var bound = 6 * Math.Sqrt(Count * part * (1 - part));
        Assert.InRange(blocks, (Count * expected) - bound, (Count * expected) + bound);
    }

    [Fact]
    public void The_largest_block_and_mean_can_be_weighed()
    {
        Assert.Equal((1, (long)LiveBlock.MaxBytes), new SampleWeight(1).Of(0x1000, LiveBlock.MaxBytes, 0, 0));
        Assert.InRange(new SampleWeight(1UL << 40).Of(0x1000, 0, 0, 0).Blocks, (1L << 40) - 1, (1L << 40) + 2);
    }

    [Fact]
    public void A_block_weighs_at_its_death_what_it_weighed_at_its_birth()
    {
        using var recorder = new Recorder();
        var target = new Target(new TargetMemory(sampleBytes: Mean));
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var thread = target.Thread(0, 100);
        for (var i = 0u; i < 40; i++)
        {
            recorder.At(i);
            thread.Sample(0x1000 + (i * 64), i * 50, stack, Mean);
        }

        for (var i = 0u; i < 40; i++)
        {
            recorder.At(100 + i);
            thread.FreeSample(0x1000 + (i * 64), i * 50, Mean);
        }

        using var trace = recorder.Read(process);
        var totals = trace.Processes[0].Totals;
        Assert.Equal((totals.Allocations, totals.AllocatedBytes), (totals.Frees, totals.FreedBytes));
        Assert.Equal((0, 0, 0), (totals.LiveBlocks, totals.LiveBytes, totals.TemporaryAllocations));
        Assert.True(totals.Allocations > 1000 && totals.Peak.Bytes == totals.AllocatedBytes);
        Assert.Equal((totals.Peak.Bytes, totals.Peak.Bytes), (totals.Peak.LowBytes, totals.Peak.HighBytes));
        Assert.False(trace.Info.Exact);
        Assert.Equal((long)Mean, trace.Info.SampleBytes);
        Assert.All(trace.Cohorts().GroupBy(row => row.Death), group => Assert.True(
            group.Key == Trace.CohortRow.NeverFreed ? group.Sum(row => row.Blocks) == 0 : group.Sum(row => row.Blocks) > 0));
        Assert.Equal(totals.Allocations, trace.Histogram(Trace.HistogramKind.Size).Sum(row => row.Blocks));
        Assert.Equal(totals.Allocations, trace.Histogram(Trace.HistogramKind.Lifetime).Sum(row => row.Blocks));
    }

    [Fact]
    public void The_shim_says_what_was_temporary_and_how_large_an_inherited_block_was()
    {
        using var recorder = new Recorder();
        var target = new Target(new TargetMemory(sampleBytes: Mean));
        var process = recorder.Attach(target);
        var stack = target.AddStack(0x401000);
        var thread = target.Thread(0, 100);
        const uint Temporary = WireConstants.SampleAmong | WireConstants.SampleTemporary;
        thread.Sample(0x1000, 999_999, stack, Mean);
        thread.FreeSample(0x1000, 999_999, Mean, Temporary);
        thread.Sample(0x2000, 999_999, stack, Mean);
        thread.FreeSample(0x2000, 999_999, Mean);
        var child = target.Fork(0, 101);
        target.Thread(child, 101).FreeSample(0x3000, 99, Mean); // one of ten: 1 - exp(-100 / 1000)

        using var trace = recorder.Read(process);
        Assert.Equal(1, trace.Processes[0].Totals.TemporaryAllocations);
        Assert.InRange(trace.Processes[1].Totals.InheritedFrees, 10, 11);
    }
}
