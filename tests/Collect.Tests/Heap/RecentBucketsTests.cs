using CsCheck;
using NativeHeap.Collect.Heap;

namespace NativeHeap.Collect.Tests.Heap;

public sealed class RecentBucketsTests
{
    [Fact]
    public void Every_block_is_in_a_place_or_was_handed_out()
    {
        Gen.Select(Gen.Int[0, 64], Gen.Long[0, 1L << 39]).Array[0, 300].Sample(all =>
        {
            var recent = default(RecentBuckets);
            var counted = new SortedDictionary<int, (long Blocks, long Bytes)>();
            void Add(int bucket, long blocks, long bytes)
            {
                if (blocks != 0)
                {
                    var (b, s) = counted.GetValueOrDefault(bucket);
                    counted[bucket] = (b + blocks, s + bytes);
                }
            }

            foreach (var (bucket, bytes) in all)
            {
                if (!recent.TryAdd(bucket, bytes))
                {
                    var (before, sum) = recent.Take(bucket);
                    Add(before, sum.Blocks, sum.Bytes);
                    Add(bucket, 1, bytes);
                }
            }

            for (var place = 0; place < RecentBuckets.Count; place++)
            {
                var (bucket, sum) = recent.TakeAt(place);
                Add(bucket, sum.Blocks, sum.Bytes);
                Assert.True(recent.TakeAt(place).Sum.IsEmpty);
            }

            Assert.Equal(
                all.GroupBy(block => block.Item1).OrderBy(same => same.Key)
                    .Select(same => (same.Key, ((long)same.Count(), same.Sum(block => block.Item2)))),
                counted.Select(row => (row.Key, row.Value)));
        });
    }

    [Fact]
    public void Four_octaves_side_by_side_need_no_table()
    {
        var recent = default(RecentBuckets);
        foreach (var bucket in (int[])[5, 6, 7, 8])
        {
            Assert.False(recent.TryAdd(bucket, 1));
            recent.Take(bucket);
        }

        Assert.All((int[])[5, 6, 7, 8, 8, 7, 6, 5], bucket => Assert.True(recent.TryAdd(bucket, 1)));
    }
}
