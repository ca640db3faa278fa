using CsCheck;

namespace NativeHeap.Wire.Tests;

public sealed unsafe class RegionViewTests
{
    [Fact]
    public void A_region_that_was_laid_out_is_read_as_it_was()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        Assert.Equal(RegionMemory.Shape, view.Shape);
        Assert.Equal(1, view.NodeCount);
        Assert.Equal(0, view.ModuleCount);
        Assert.Equal(Control.Record, view.Control);
        Assert.Equal(4096u, view.Ring(2).Capacity);
        Assert.Equal(WireConstants.NoSlot, view.Ring(0).OwnerSlot);
    }

    [Fact]
    public void Parts_of_a_region_do_not_overlap()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var shape = view.Shape;
        var parts = new List<(ulong Start, ulong End)>
        {
            (0, RegionRecord.StatedSize),
            Part(view.RingAt(0), shape.RingCount * RingRecord.StatedSize),
            Part(view.SlotAt(0), shape.SlotCount * SlotRecord.StatedSize),
            Part(view.ModuleAt(0), shape.ModuleCapacity * ModuleRecord.StatedSize),
            Part(view.NodeAt(0), shape.NodeCapacity * NodeRecord.StatedSize),
            Part(view.ReusedAt(0), shape.ReusedCapacity * ReusedCodeRecord.StatedSize),
            (view.CopyOffset, view.CopyOffset + CopyWindow.WholeBytes),
            (view.Header->KeptOffset, view.Header->KeptOffset + WireConstants.KeptBytes),
        };
        for (var i = 0; i < shape.RingCount; i++)
        {
            parts.Add((view.RingAt(i)->DataOffset, view.RingAt(i)->DataOffset + view.RingAt(i)->Capacity));
        }

        for (var i = 1; i < parts.Count; i++)
        {
            Assert.True(parts[i].Start >= parts[i - 1].End);
        }

        Assert.True(parts[^1].End <= memory.Bytes);

        (ulong, ulong) Part(void* start, int bytes) =>
            ((ulong)((byte*)start - memory.Start), (ulong)((byte*)start - memory.Start) + (ulong)bytes);
    }

    [Fact]
    public void Marks_of_kept_blocks_stand_in_their_bits_alone_and_the_word_names_them_whole()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        var bits = memory.Start + view.Header->KeptOffset;
        view.MarkKept(9, true);
        view.MarkKept(10, true);
        view.MarkKept((8 * WireConstants.KeptBytes) - 1, true); // the last there is
        Assert.Equal((0, 6, 0, 128), (bits[0], bits[1], bits[2], bits[WireConstants.KeptBytes - 1]));
        view.MarkKept(9, false);
        Assert.Equal(4, bits[1]);
        view.ClearKept((int)WireConstants.MostKeptBits);
        Assert.Equal((0, 0), (bits[1], bits[WireConstants.KeptBytes - 1]));

        view.Sample(1UL << 40, kept: true, bits: 26);
        Assert.Equal((1UL << 40) | (1UL << 63) | (26UL << 56), view.Header->Sampling);
        view.Sample(0, kept: false, bits: 0);
        Assert.Equal(0UL, view.Header->Sampling);
    }

    [Theory]
    [InlineData(0, 1, 1, 1, 1, 1)]
    [InlineData(RegionShape.MaxRings + 1, 1, 1, 1, 1, 1)]
    [InlineData(2, 3, 1, 1, 1, 1)]
    [InlineData(1, 1, 0, 1, 1, 1)]
    [InlineData(1, 1, RegionShape.MaxSlots + 1, 1, 1, 1)]
    [InlineData(1, 1, 1, -1, 1, 1)]
    [InlineData(1, 1, 1, RegionShape.MaxModules + 1, 1, 1)]
    [InlineData(1, 1, 1, 1, 0, 1)]
    [InlineData(1, 1, 1, 1, RegionShape.MaxNodes + 1, 1)]
    [InlineData(1, 1, 1, 1, 1, -1)]
    [InlineData(1, 1, 1, 1, 1, RegionShape.MaxReused + 1)]
    public void A_shape_out_of_its_limits_is_refused(int rings, int shared, int slots, int modules, int nodes, int reused) =>
        Assert.Throws<RegionFormatException>(
            () => new RegionShape(rings, shared, slots, modules, nodes, reused).Check());

    [Fact]
    public void Shapes_at_their_limits_are_taken()
    {
        new RegionShape(1, 0, 1, 0, 1, 0).Check();
        new RegionShape(
            RegionShape.MaxRings, RegionShape.MaxRings, RegionShape.MaxSlots, RegionShape.MaxModules,
            RegionShape.MaxNodes, RegionShape.MaxReused).Check();
    }

    [Fact]
    public void No_header_leads_out_of_the_mapping()
    {
        // Any word of the header or of the first ring may hold anything.
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, (RegionRecord.StatedSize / 8) - 1], Words).List[1, 4].Sample(
            changes =>
            {
                using var memory = RegionMemory.Make();
                var start = memory.Start;
                var rings = ((RegionRecord*)start)->RingOffset;
                foreach (var (place, word, value) in changes)
                {
                    var at = (ulong*)(start + (place == 0 ? rings : 0)) + (place == 0 ? word % 16 : word);
                    *at = place == 2 ? (*at & ~0xFFFFFFFFul) | (uint)value : value;
                }

                Explore(memory);
            },
            iter: 3000,
            threads: 1);
    }

    [Fact]
    public void Nodes_lead_towards_the_root_or_nowhere()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        view.Header->NodeCount = 1000; // more than there is room for
        Assert.Equal(64, view.NodeCount);
        view.NodeAt(5)->Parent = 5;
        view.NodeAt(6)->Parent = 5;
        Assert.False(view.TryReadNode(0, out _, out _));
        Assert.False(view.TryReadNode(5, out _, out _));
        Assert.True(view.TryReadNode(6, out _, out var parent));
        Assert.Equal(5u, parent);
        Assert.False(view.TryReadNode(64, out _, out _));
        Assert.False(view.TryReadNode(uint.MaxValue, out _, out _));
    }

    [Fact]
    public void A_module_is_read_when_it_is_filled_in_and_its_lengths_are_cut()
    {
        using var memory = RegionMemory.Make();
        var view = new RegionView(memory.Start, memory.Bytes);
        view.ModuleAt(1)->PathLength = 600;
        view.ModuleAt(1)->BuildIdLength = 33;
        Assert.False(view.TryReadModule(1, out _));
        view.ModuleAt(1)->State = (uint)ModuleState.Loaded;
        Assert.True(view.TryReadModule(1, out var module));
        Assert.Equal((512, 32), (module.PathLength, module.BuildIdLength));
        view.ModuleAt(1)->State = 77;
        Assert.False(view.TryReadModule(1, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.TryReadModule(5, out _));
    }

    private static Gen<ulong> Words { get; } = Gen.OneOf(
        Gen.ULong,
        Gen.ULong[0, 1 << 20],
        Gen.Const(ulong.MaxValue),
        Gen.Const(1UL << 63),
        Gen.Const(WireConstants.RegionMagic));

    // Touches everything that a view offers; a read outside of the mapping ends the test process.
    private static void Explore(RegionMemory memory)
    {
        RegionView view;
        try
        {
            view = new RegionView(memory.Start, memory.Bytes);
        }
        catch (RegionFormatException)
        {
            return;
        }

        _ = (view.ClockNs, view.Control, view.LockWaits, view.ModulesOverflowed);
        for (uint i = 0; i < (uint)view.NodeCount + 2; i++)
        {
            view.TryReadNode(i, out _, out _);
        }

        for (var i = 0; i < view.ModuleCount; i++)
        {
            view.TryReadModule(i, out _);
        }

        for (var i = 0; i < view.ReusedCount; i++)
        {
            view.TryReadReused(i, out _);
        }

        for (var i = 0; i < view.Shape.SlotCount; i++)
        {
            _ = (view.SlotState(i), view.ReadSlot(i));
        }

        for (var i = 0; i < view.Shape.RingCount; i++)
        {
            view.Ring(i).Refresh();
            RingReaderTests.ReadAll(view.Ring(i));
        }
    }
}
