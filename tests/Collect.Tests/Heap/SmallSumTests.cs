using CsCheck;
using NativeHeap.Collect.Heap;

namespace NativeHeap.Collect.Tests.Heap;

public sealed class SmallSumTests
{
    private const long Half = 1L << 39; // of what bytes have room for

    [Fact]
    public void What_it_takes_and_what_it_refuses_is_all()
    {
        var sizes = Gen.OneOf(
            Gen.Long[0, 4096], Gen.Long[Half - 2, Half + 2], Gen.Long[1L << 30, 1L << 38], Gen.Const((long)LiveBlock.MaxBytes));
        sizes.Array[0, 200].Sample(all =>
        {
            var sum = default(SmallSum);
            var (blocks, bytes) = (0L, 0L);
            foreach (var size in all)
            {
                if (sum.TryAdd(size))
                {
                    continue;
                }

                blocks += sum.Blocks;
                bytes += sum.Bytes;
                sum = default;
                if (!sum.TryAdd(size))
                {
                    Assert.True(size >= Half);
                    blocks++;
                    bytes += size;
                }
            }

            Assert.Equal((all.Length, all.Sum()), (blocks + sum.Blocks, bytes + sum.Bytes));
            Assert.Equal(sum.Blocks == 0, sum.IsEmpty);
        });
    }

    [Fact]
    public void Blocks_of_no_bytes_fill_it_too()
    {
        var sum = default(SmallSum);
        var blocks = 0;
        while (blocks <= 1 << 24 && sum.TryAdd(0))
        {
            blocks++;
        }

        Assert.Equal((blocks, 0), (sum.Blocks, sum.Bytes));
        Assert.InRange(blocks, 1_000_000, 1 << 24);
    }
}
