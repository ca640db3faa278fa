using CsCheck;
using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Analysis.Tests;

/// <summary>Answers from cohorts against a count over every single block of random histories.</summary>
public sealed class HistoryTests : IDisposable
{
    private const int Width = 10;
    private const int End = 200;

    private static readonly int[] s_ends = [End, 120, 55];

    private static readonly Gen<Block> s_block = Gen.Select(
        Gen.Int[0, 2], Gen.Int[0, 3], Gen.Int[0, End - 1], Gen.Int[0, End], Gen.Int[0, 1000],
        (process, stack, birth, life, bytes) =>
        {
            var born = birth % s_ends[process];
            var died = born + life;
            return new Block(process, stack, born, died < s_ends[process] ? died : null, bytes);
        });

    private readonly TempFolder _folder = new();

    private readonly record struct Block(int Process, int Stack, int Birth, int? Death, int Bytes)
    {
        public bool BornIn(long from, long to) => Birth >= from && Birth < to;

        public bool AliveAt(long time) => Birth < time && (Death is null || Death >= time) && s_ends[Process] >= time;
    }

    public void Dispose() => _folder.Dispose();

    private void Check(Action<Profile, Block[]> check) => s_block.Array[0, 60].Sample(
        blocks =>
        {
            var path = Write(blocks);
            using (var profile = Profile.Open(path))
            {
                check(profile, blocks);
            }

            File.Delete(path);
        },
        iter: 40,
        threads: 1);

    private string Write(Block[] blocks)
    {
        var trace = new TraceBuilder().Meta("bucket_ns", Width).Meta("end_ns", End);
        var malloc = trace.Entry(EntryPoint.Malloc);
        var stacks = Enumerable.Range(0, 4).Select(i => trace.Stack(trace.Code(null, 0x1000 + i), malloc)).ToArray();
        for (var i = 0; i < s_ends.Length; i++)
        {
            trace.Process(i + 1, ("end_ns", s_ends[i]));
        }

        foreach (var group in blocks.GroupBy(b => (b.Process, b.Stack, Birth: b.Birth / Width, Death: b.Death / Width ?? -1)))
        {
            trace.Blocks(
                group.Key.Process + 1, stacks[group.Key.Stack], group.Key.Birth, group.Key.Death, group.Count(), group.Sum(b => b.Bytes));
        }

        return trace.Write(_folder["history.nheap"]);
    }

    private static void Same(StackAnswer answer, IEnumerable<Block> expected)
    {
        var stacks = expected.GroupBy(b => b.Stack)
            .Select(g => (Bytes: (long)g.Sum(b => b.Bytes), Blocks: g.LongCount(), Place: 0x1000UL + (ulong)g.Key))
            .OrderByDescending(s => s.Bytes).ThenByDescending(s => s.Blocks).ThenBy(s => s.Place).ToList();
        Assert.Equal(stacks, answer.Stacks.Select(s => (s.Bytes, s.Blocks, s.Stack.Frames[0].Location.Offset)));
        Assert.Equal(stacks.Sum(s => s.Bytes), answer.Bytes);
    }

    [Fact]
    public void What_was_alive_at_every_edge_is_exact()
    {
        Check((profile, blocks) =>
        {
            for (var time = 0; time <= End; time += Width)
            {
                Same(profile.Ask(new StackQuestion { AtNs = time }), blocks.Where(b => b.AliveAt(time)));
            }
        });
    }

    [Fact]
    public void What_was_allocated_in_a_range_and_was_alive_at_its_end_is_exact()
    {
        Check((profile, blocks) =>
        {
            for (var from = 0; from <= End; from += 3 * Width)
            {
                for (var to = from; to <= End; to += 4 * Width)
                {
                    var range = new StackQuestion { FromNs = from, ToNs = to };
                    Same(profile.Ask(range), blocks.Where(b => b.BornIn(from, to) && b.AliveAt(to)));
                    Same(
                        profile.Ask(range with { By = StackMeasure.Allocated }),
                        blocks.Where(b => b.BornIn(from, to)));
                    Same(
                        profile.Ask(range with { By = StackMeasure.Leaked }),
                        blocks.Where(b => b.BornIn(from, to) && b.Death is null));
                }
            }
        });
    }

    [Fact]
    public void The_stacks_of_the_timeline_have_at_every_edge_what_was_alive_there()
    {
        Check((profile, blocks) =>
        {
            var timeline = profile.Timeline(new TimelineQuestion { Stacks = 2 });
            for (var i = 0; i < timeline.StackTimesNs.Count; i++)
            {
                var time = timeline.StackTimesNs[i];
                var alive = blocks.Where(b => b.AliveAt(time)).ToList();
                var sum = timeline.OtherBytes[i] + timeline.Stacks.Sum(s => s.Bytes[i]);
                Assert.Equal(alive.Sum(b => b.Bytes), sum);
                foreach (var (stack, bytes) in timeline.Stacks)
                {
                    var place = (int)(stack.Frames[0].Location.Offset - 0x1000);
                    Assert.Equal(alive.Where(b => b.Stack == place).Sum(b => b.Bytes), bytes[i]);
                }
            }

            Assert.Equal(End, timeline.StackTimesNs[^1]);
        });
    }
}
