using CsCheck;
using NativeHeap.Collect.Heap;

namespace NativeHeap.Collect.Tests.Heap;

public sealed class LiveTableTests
{
    [Fact]
    public void It_holds_what_a_dictionary_holds()
    {
        // Few addresses, so that chains form and close; many operations, so that the table grows.
        Gen.Select(Gen.Bool, Gen.ULong[1, 400], Gen.ULong[0, 1 << 20]).Array[0, 2000].Sample(
            steps =>
            {
                using var table = new LiveTable();
                var model = new Dictionary<ulong, long>();
                foreach (var (insert, slot, bytes) in steps)
                {
                    var address = slot * 16;
                    var known = model.TryGetValue(address, out var before);
                    if (insert)
                    {
                        var block = Block(address, bytes);
                        Assert.Equal(known, Insert(table, block, out var previous));
                        Assert.Equal(before, previous.Bytes);
                        model[address] = (long)bytes;
                    }
                    else
                    {
                        Assert.Equal(known, Remove(table, address, out var removed));
                        Assert.Equal(before, removed.Bytes);
                        model.Remove(address);
                    }
                }

                Check(table, model);
            },
            iter: 200,
            threads: 1);
    }

    [Fact]
    public void It_splits_segments_as_it_grows_and_finds_every_block()
    {
        using var table = new LiveTable();
        var model = new Dictionary<ulong, long>();
        var random = new Random(1);
        ulong address = 0x7f00_0000_0000;
        for (var i = 0; i < 400_000; i++)
        {
            address += 16 * (ulong)random.Next(1, 40);
            Insert(table, Block(address, (ulong)i), out _);
            model.Add(address, i);
        }

        foreach (var gone in model.Keys.Where(_ => random.Next(3) == 0).ToList())
        {
            Assert.True(Remove(table, gone, out var block));
            Assert.Equal(model[gone], block.Bytes);
            model.Remove(gone);
        }

        Check(table, model);
        Assert.All(model, item =>
        {
            Assert.True(Remove(table, item.Key, out var block));
            Assert.Equal(item.Value, block.Bytes);
        });
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void A_block_keeps_its_size_thread_stack_and_birth()
    {
        using var table = new LiveTable();
        Insert(
            table,
            new LiveBlock
            {
                Address = 0x00FF_FFFF_FFFF_FFF0,
                BytesAndThread = LiveBlock.Pack(LiveBlock.MaxBytes, 65_535),
                Stack = int.MaxValue,
                BirthMs = uint.MaxValue,
            },
            out _);
        Assert.True(Remove(table, 0x00FF_FFFF_FFFF_FFF0, out var block));
        Assert.Equal((long)LiveBlock.MaxBytes, block.Bytes);
        Assert.Equal((65_535, int.MaxValue, uint.MaxValue), (block.Thread, block.Stack, block.BirthMs));
        Assert.Equal(LiveBlock.Pack(LiveBlock.MaxBytes, 1), LiveBlock.Pack(ulong.MaxValue, 1));
    }

    [Theory]
    [InlineData(0UL, 2047u)]
    [InlineData((1UL << 36) - 1, 2047u)]
    [InlineData(1UL << 36, 0u)]
    [InlineData(LiveBlock.MaxBytes, 0u)]
    public void A_block_below_64_GiB_keeps_its_luck_beside_its_size(ulong bytes, uint luck)
    {
        var block = new LiveBlock { BytesAndThread = LiveBlock.Pack(bytes, 65_535, luck: uint.MaxValue) };
        Assert.Equal(((long)bytes, luck, 65_535), (block.Bytes, block.Luck, block.Thread));
    }

    private static unsafe bool Insert(LiveTable table, LiveBlock block, out LiveBlock previous)
    {
        var place = table.Add(block.Address, out var wasTaken);
        previous = wasTaken ? *place : default;
        *place = block;
        return wasTaken;
    }

    private static unsafe bool Remove(LiveTable table, ulong address, out LiveBlock block)
    {
        var place = table.Get(address);
        block = place is null ? default : *place;
        if (place is not null)
        {
            table.Remove(place);
        }

        return place is not null;
    }

    private static LiveBlock Block(ulong address, ulong bytes) =>
        new() { Address = address, BytesAndThread = LiveBlock.Pack(bytes, 7) };

    private static void Check(LiveTable table, Dictionary<ulong, long> model)
    {
        Assert.Equal(model.Count, table.Count);
        var blocks = new List<LiveBlock>();
        table.CopyTo(blocks, int.MaxValue);
        Assert.Equal(model, blocks.ToDictionary(block => block.Address, block => block.Bytes));
        blocks.Clear();
        table.CopyTo(blocks, 3);
        Assert.Equal(Math.Min(3, model.Count), blocks.Count);
    }
}
