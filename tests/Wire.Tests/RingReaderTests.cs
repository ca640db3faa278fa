using CsCheck;

namespace NativeHeap.Wire.Tests;

public sealed unsafe class RingReaderTests
{
    private const int Last = 2; // behind its data the mapping ends

    private static readonly ulong _allocWord = ((ulong)EventKind.Alloc << 56) | 0x1000;

    [Fact]
    public void Records_come_out_as_they_went_in_round_and_round()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var producer = new Producer(view);
        var reader = view.Ring(Last);
        ulong written = 0;
        ulong read = 0;
        var random = new Random(1);
        var places = stackalloc RingPlace[5];
        for (var turn = 0; turn < 1000; turn++)
        {
            for (var i = random.Next(60); i > 0; i--)
            {
                producer.Write(written++);
            }

            reader.Refresh();
            while (reader.Read(places, random.Next(1, 6)) is var count and > 0)
            {
                for (var i = 0; i < count; i++)
                {
                    Assert.Equal(_allocWord, places[i].Word);
                    Assert.Equal(read++, ((AllocEvent*)places[i].Record)->Size);
                }
            }

            reader.Publish();
            Assert.Equal(view.RingAt(Last)->Head, view.RingAt(Last)->Tail);
        }

        Assert.Equal(written, read);
        Assert.True(written > 10_000);
        Assert.Equal(RingFault.None, reader.Fault);
    }

    [Fact]
    public void Nothing_is_handed_out_before_the_next_look()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var producer = new Producer(view);
        producer.Write(1);
        Assert.False(TryNext(view.Ring(Last)));
        Assert.True(view.Ring(Last).Refresh());
        producer.Write(2);
        Assert.True(TryNext(view.Ring(Last)));
        Assert.False(TryNext(view.Ring(Last)));
    }

    [Fact]
    public void A_ring_is_filling_from_a_quarter_on_whatever_was_looked_at()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var producer = new Producer(view);
        var reader = view.Ring(Last);
        var records = (int)(reader.Capacity / 4 / AllocEvent.StatedSize);
        for (var i = 0; i < records; i++)
        {
            Assert.False(reader.IsFilling);
            producer.Write(1);
        }

        producer.Write(1);
        Assert.True(reader.IsFilling);
        reader.Refresh();
        Assert.True(reader.IsFilling);
        Assert.True(TryNext(reader) && TryNext(reader));
        Assert.False(reader.IsFilling);
    }

    [Fact]
    public void A_waiting_producer_is_told_of_room()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        new Producer(view).Write(1);
        view.RingAt(Last)->Waiting = 1;
        ReadAll(view.Ring(Last));
        Assert.Equal((0u, 1u), (view.RingAt(Last)->Waiting, view.RingAt(Last)->Drained));
    }

    [Theory]
    [InlineData(20, RingFault.Head)] // further back than what was read, and no multiple of 8
    [InlineData(52, RingFault.Head)] // no multiple of 8
    [InlineData(48 + 4096 + 8, RingFault.Overrun)]
    public void A_head_that_cannot_be_ends_the_ring(ulong head, RingFault fault)
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var producer = new Producer(view);
        producer.Write(1);
        producer.Write(2);
        ReadAll(view.Ring(Last));
        view.RingAt(Last)->Head = head;
        Assert.False(view.Ring(Last).Refresh());
        Assert.Equal(fault, view.Ring(Last).Fault);
        Assert.Equal(head, view.RingAt(Last)->Tail); // its producer is not held up
    }

    [Fact]
    public void A_head_that_a_forked_child_has_turned_back_is_waited_for()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var reader = view.Ring(Last);
        var producer = new Producer(view);
        producer.Write(1);
        var before = view.RingAt(Last)->Head;
        producer.Write(2);
        ReadAll(reader);
        view.RingAt(Last)->Head = before;
        Assert.False(reader.Refresh());
        Assert.False(reader.IsFilling);
        producer.Write(3); // its own head went on
        Assert.True(reader.Refresh());
        RingPlace place;
        Assert.Equal(1, reader.Read(&place, 1));
        Assert.Equal(3UL, ((AllocEvent*)place.Record)->Size);
        Assert.False(TryNext(reader));
        Assert.Equal(RingFault.None, reader.Fault);
    }

    [Theory]
    [InlineData(0UL, RingFault.Kind)]
    [InlineData(99UL << 56, RingFault.Kind)]
    [InlineData(1UL << 56, RingFault.Kind)] // padding of no length
    [InlineData((1UL << 56) | 12, RingFault.Kind)]
    [InlineData((1UL << 56) | 8192, RingFault.Length)]
    [InlineData(6UL << 56, RingFault.Length)] // a resize of which only 24 bytes were written
    public void A_record_that_cannot_be_ends_the_ring_and_later_events_are_not_waited_for(ulong word, RingFault fault)
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var producer = new Producer(view);
        producer.Write(1, word);
        var reader = view.Ring(Last);
        Assert.True(reader.Refresh());
        Assert.False(TryNext(reader));
        Assert.Equal(fault, reader.Fault);
        reader.Publish();
        for (var i = 0; i < 1000; i++)
        {
            producer.Write(2);
            Assert.False(reader.Refresh());
            Assert.Equal(view.RingAt(Last)->Head, view.RingAt(Last)->Tail);
        }
    }

    [Fact]
    public void Any_bytes_are_survived()
    {
        Gen.Select(Gen.ULong.Array[0, 512], Gen.ULong[0, 600], Gen.Bool).Sample(
            (words, head, plausible) =>
            {
                using var memory = RegionMemory.Make();
                var view = new RegionView(memory.Start, memory.Bytes);
                var data = (ulong*)(memory.Start + view.RingAt(Last)->DataOffset);
                for (var i = 0; i < words.Length; i++)
                {
                    data[i] = plausible ? ((words[i] % 12) << 56) | (words[i] >> 40) : words[i];
                }

                view.RingAt(Last)->Head = head * 8;
                view.Ring(Last).Refresh();
                Assert.InRange(ReadAll(view.Ring(Last)), 0, 512);
                Assert.True(head <= 512 || view.Ring(Last).Fault != RingFault.None);
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void Every_record_lies_in_the_ring_whatever_is_changed_in_a_good_one()
    {
        var values = Gen.OneOf(Gen.ULong, Gen.ULong[0, 12].Select(kind => kind << 56));
        Gen.Select(Gen.Int[0, 400], Gen.OneOf(Gen.Int[0, 511], Gen.Int[508, 511]), values, Gen.Int[0, 63]).Sample(
            (records, word, value, bit) =>
            {
                using var memory = RegionMemory.Make();
                var view = new RegionView(memory.Start, memory.Bytes);
                var producer = new Producer(view);
                var data = (ulong*)(memory.Start + view.RingAt(Last)->DataOffset);
                for (var i = 0; i < records; i++)
                {
                    producer.Write(value);
                    if (i % 100 == 99)
                    {
                        ReadAll(view.Ring(Last));
                    }
                }

                data[word] = value;
                data[(word + 7) % 512] ^= 1UL << bit;
                ReadAll(view.Ring(Last));
            },
            iter: 1000,
            threads: 1);
    }

    /// <summary>Reads every byte of every record up to the head. Says how many there were.</summary>
    internal static int ReadAll(RingReader reader)
    {
        reader.Refresh();
        var count = 0;
        var places = stackalloc RingPlace[7];
        while (reader.Read(places, 7) is var read and > 0)
        {
            for (var i = 0; i < read; i++)
            {
                ReadWhole(places[i]);
            }

            count += read;
        }

        reader.Publish();
        return count;
    }

    private static void ReadWhole(RingPlace place)
    {
        var bytes = (EventKind)(place.Word >> 56) switch
        {
            EventKind.Time => sizeof(TimeEvent),
            EventKind.Thread => sizeof(ThreadEvent),
            EventKind.Alloc => sizeof(AllocEvent),
            EventKind.Release => sizeof(ReleaseEvent),
            EventKind.Resize => sizeof(ResizeEvent),
            EventKind.ForkCut => sizeof(ForkCutEvent),
            EventKind.Ignore => sizeof(IgnoreEvent),
            EventKind.Suppressions => sizeof(SuppressionsEvent),
            EventKind.Map => sizeof(MapEvent),
            EventKind.Unmap => sizeof(UnmapEvent),
            EventKind.Remap => sizeof(RemapEvent),
            EventKind.Sample => sizeof(SampleEvent),
            EventKind.SampleRelease => sizeof(SampleReleaseEvent),
            _ => throw new InvalidOperationException($"a record of kind {place.Word >> 56} was handed out"),
        };
        _sink += new Span<byte>(place.Record, bytes).IndexOf((byte)1);
    }

    private static bool TryNext(RingReader reader)
    {
        RingPlace place;
        return reader.Read(&place, 1) == 1;
    }

    private static int _sink;

    private sealed class Producer(RegionView view)
    {
        private ulong _head;

        public void Write(ulong size, ulong? word = null)
        {
            var ring = view.RingAt(Last);
            var data = (byte*)view.Header + ring->DataOffset;
            var room = 4096 - (_head % 4096);
            if (room < AllocEvent.StatedSize)
            {
                *(ulong*)(data + (_head % 4096)) = ((ulong)EventKind.Pad << 56) | room;
                _head += room;
            }

            *(AllocEvent*)(data + (_head % 4096)) = new AllocEvent { Head = word ?? _allocWord, Size = size };
            _head += AllocEvent.StatedSize;
            Volatile.Write(ref ring->Head, _head);
        }
    }
}
