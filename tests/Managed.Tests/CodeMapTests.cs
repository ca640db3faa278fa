using CsCheck;

namespace NativeHeap.Managed.Tests;

public sealed class CodeMapTests
{
    private const ulong Later = 10 * CodeMap.ClockSlackNs;

    [Fact]
    public void An_address_is_what_was_there_at_the_moment()
    {
        var map = new CodeMap();
        map.Add(Method("A", 0x1000, 0x100, Later));
        map.Unload(0x1000, 'A', 2 * Later);
        map.Add(Method("B", 0x1080, 0x100, 3 * Later));

        Assert.Equal("A", map.Find(0x1090, Later + 1)?.Name);
        Assert.Equal("A", map.Find(0x1090, (2 * Later) - 1)?.Name);
        Assert.Equal("B", map.Find(0x1090, 3 * Later)?.Name);
        Assert.Equal("A", map.Find(0x1000, 3 * Later)?.Name); // what was there is a better answer than none
        Assert.Null(map.Find(0xFFF, Later));
        Assert.Null(map.Find(0x1180, Later));
    }

    [Fact]
    public void What_is_gone_gives_way_to_what_is_there()
    {
        var map = new CodeMap();
        map.Add(Method("A", 0x1000, 0x100, Later));
        map.Add(Method("B", 0x1010, 0x10, 2 * Later));
        map.Unload(0x1010, 'B', 3 * Later);
        Assert.Equal("B", map.Find(0x1018, 2 * Later)?.Name);
        Assert.Equal("A", map.Find(0x1018, 4 * Later)?.Name);
    }

    [Fact]
    public void What_comes_within_the_clocks_tick_is_taken_when_nothing_was_there()
    {
        var map = new CodeMap();
        map.Add(Method("A", 0x1000, 0x100, Later + CodeMap.ClockSlackNs));
        map.Add(Method("B", 0x1000, 0x100, 3 * Later));
        Assert.Equal("A", map.Find(0x1010, Later)?.Name);
    }

    [Fact]
    public void Methods_that_had_an_address_in_turn_are_told_apart_by_the_nanosecond()
    {
        var map = new CodeMap();
        foreach (var (name, time) in new[] { ("A", 1UL), ("B", 2UL), ("A", 3UL) })
        {
            map.Add(Method(name, 0x1000, 0x100, Later + time));
        }

        Assert.Equal(
            [Later + 1, Later + 3, Later + 3],
            new ulong[] { 1, 3, 9 }.Select(time => map.FindOwner(0x1010, 'A', Later + time)?.LoadNs));
        Assert.Equal("B", map.FindOwner(0x1010, 0, Later + 2)?.Name);
        Assert.Null(map.FindOnly(0x1010));
    }

    [Fact]
    public void An_address_is_no_other_method_than_the_one_that_was_seen_there()
    {
        var map = new CodeMap();
        map.Add(Method("A", 0x1000, 0x100, Later));
        Assert.Null(map.FindOwner(0x1010, 'B', Later + 1));
        Assert.Equal("A", map.FindOwner(0x1010, 'A', Later - 1)?.Name); // told when another thread ran it already
        Assert.Null(map.FindOwner(0x1010, 0, Later - 1));
        Assert.Equal("A", map.FindOnly(0x1010)?.Name);
        map.Unload(0x1000, 'A', Later + 5);
        Assert.Equal("A", map.FindOwner(0x1010, 'A', Later + 4)?.Name);
        Assert.Null(map.FindOwner(0x1010, 'A', Later + 5));
    }

    [Fact]
    public void Code_without_a_size_ends_where_the_next_begins()
    {
        var map = new CodeMap();
        map.Add(Method("A", 0x1000, 0, 2));
        map.Add(Method("B", 0x1100, 0, 1));
        Assert.Equal("A", map.Find(0x10FF, 5)?.Name);
        Assert.Equal("B", map.Find(0x1100, 5)?.Name);
        Assert.Null(map.Find(0x1100 + (1 << 20), 5));
    }

    [Fact]
    public void A_rundown_adds_to_what_is_known_and_does_not_replace_it()
    {
        var map = new CodeMap();
        map.Add(Method("A", 0x1000, 0, Later));
        map.Add(Method("A", 0x1000, 0x40, 0));
        Assert.Equal(1, map.Count);
        Assert.Equal(Later, map.Find(0x103F, Later)?.LoadNs);
        Assert.Null(map.Find(0x1040, Later));
    }

    [Fact]
    public void Overlapping_code_of_any_age_is_found_as_by_looking_at_each()
    {
        var one = Gen.Select(Gen.ULong[0, 200], Gen.UInt[1, 60], Gen.ULong[0, 50]);
        Gen.Select(one.Array[0, 40], Gen.ULong[0, 260], Gen.ULong[0, 60]).Sample((pieces, address, time) =>
        {
            var map = new CodeMap();
            var all = pieces.DistinctBy(piece => piece.Item1).Select((piece, i) => new MethodCode
            {
                Start = piece.Item1,
                Size = piece.Item2,
                LoadNs = piece.Item3 * Later,
                MethodId = (ulong)i + 1,
                Namespace = "",
                Name = $"{i}",
                Signature = "",
            }).ToList();
            all.ForEach(code => map.Add(code));

            var covering = all.Where(code => address >= code.Start && address - code.Start < code.Size).ToList();
            var there = covering.Where(code => code.LoadNs <= time * Later).ToList();
            var found = map.Find(address, time * Later);
            Assert.Equal(covering.Count == 0, found is null);
            if (there.Count > 0)
            {
                Assert.Equal(there.Max(code => code.LoadNs), found!.LoadNs);
            }
        });
    }

    [Fact]
    public void An_il_map_answers_as_its_entries_do()
    {
        var entry = Gen.Select(Gen.Int[0, 100_000], Gen.OneOf(Gen.Int[-3, 3], Gen.Int[0, 70_000]));
        Gen.Select(entry.Array[1, 50], Gen.Int[0, 110_000]).Sample((entries, offset) =>
        {
            var sorted = entries.Order().ToList();
            var before = sorted.Where(pair => pair.Item1 <= offset).ToList();
            var last = before.FindLastIndex(pair => pair.Item2 >= 0);
            int? expected = before.Count == 0 ? null : last >= 0 ? before[last].Item2 : 0;
            var map = IlMap.Pack([.. entries]);
            Assert.Equal(entries.All(pair => pair.Item2 < 0) ? null : expected, map?.Find(offset));
        });
    }

    private static MethodCode Method(string name, ulong start, uint size, ulong loadNs) => new()
    {
        Start = start,
        Size = size,
        LoadNs = loadNs,
        MethodId = name[0],
        Namespace = "",
        Name = name,
        Signature = "",
    };
}
