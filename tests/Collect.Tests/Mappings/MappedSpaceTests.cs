using NativeHeap.Collect.Mappings;

namespace NativeHeap.Collect.Tests.Mappings;

/// <summary>The account of a process's mappings, against one that knows every page.</summary>
public class MappedSpaceTests
{
    private const ulong Page = 4096;
    private const int Pages = 400;

    private readonly MappedSpace _space = new();
    private uint _order;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_is_mapped_cut_and_moved_the_account_is_that_of_the_pages(int seed)
    {
        var random = new Random(seed);
        var pages = new PageAccount();
        for (var i = 0; i < 20000; i++)
        {
            var (start, count) = (1 + random.Next(Pages - 40), 1 + random.Next(40));
            var node = (uint)random.Next(1, 6);
            switch (random.Next(4))
            {
                case 0:
                    Submit(MappingKind.Unmap, start, count);
                    pages.Unmap(start, count);
                    break;
                case 1:
                    var (to, bytes) = (1 + random.Next(Pages - 40), 1 + random.Next(40));
                    Remap(MappingKind.Unmap, start, count, to, bytes, node);
                    pages.Remap(start, count, to, bytes, node);
                    break;
                case 2:
                    Submit(MappingKind.Map, start, count); // a file
                    pages.Unmap(start, count);
                    break;
                default:
                    Submit(MappingKind.Map, start, count, node);
                    pages.Map(start, count, node);
                    break;
            }

            Assert.Equal(pages.Live, (_space.Live.Blocks, _space.Live.Bytes));
        }

        foreach (var stack in _space.Stacks)
        {
            Assert.Equal(pages.Of(stack.Node), (stack.Mappings, stack.MappedBytes, stack.Unmappings, stack.UnmappedBytes));
        }

        Assert.Equal(0, _space.Missing + _space.Unfollowed);
        Assert.Equal(pages.Peak, _space.Live.PeakBytes);
        Assert.Equal(pages.Peak, _space.Stacks.Sum(stack => stack.AtPeak(_space.Live.Epoch).Bytes));
    }

    [Fact]
    public void Rows_that_are_taken_as_they_change_are_in_the_end_those_of_all_stacks()
    {
        var random = new Random(4);
        var rows = new Dictionary<int, (long, long, long)>();
        for (var i = 0; i < 5000; i++)
        {
            var (start, count, node) = (1 + random.Next(Pages), 1 + random.Next(40), (uint)random.Next(1, 20));
            Submit(random.Next(2) == 0 ? MappingKind.Map : MappingKind.Unmap, start, count, node);
            if (i % 7 == 0)
            {
                // Two leaves are one stack; some are known late.
                _space.Stacks.ForEach(stack => stack.StackId = random.Next(3) == 0 ? 1 + ((int)stack.Node / 2) : stack.StackId);
                Take();
            }
        }

        _space.Stacks.ForEach(stack => stack.StackId = 1 + ((int)stack.Node / 2));
        Take();
        Assert.Empty(_space.TakeChanged());
        Assert.Equal(
            _space.Stacks.GroupBy(stack => stack.StackId).ToDictionary(same => same.Key, Row).OrderBy(row => row.Key),
            rows.OrderBy(row => row.Key));

        void Take()
        {
            foreach (var same in _space.TakeChanged())
            {
                rows[same.Key] = Row(same);
            }
        }

        (long, long, long) Row(IEnumerable<MappedStack> same) => (
            same.Sum(stack => stack.Mappings), same.Sum(stack => stack.UnmappedBytes),
            same.Sum(stack => stack.AtPeak(_space.Live.Epoch).Bytes));
    }

    [Fact]
    public void A_row_is_taken_again_when_the_peak_that_it_tells_of_is_passed()
    {
        Submit(MappingKind.Map, 1, 5, 1);
        Submit(MappingKind.Unmap, 1, 3);
        _space.Stacks[0].StackId = 1;
        Assert.Equal(5 * (long)Page, Assert.Single(Assert.Single(_space.TakeChanged())).AtPeak(_space.Live.Epoch).Bytes);

        Submit(MappingKind.Map, 10, 20, 2);
        _space.Stacks[1].StackId = 2;
        Assert.Equal(
            [2 * (long)Page, 20 * (long)Page],
            _space.TakeChanged().Select(same => same.Sum(stack => stack.AtPeak(_space.Live.Epoch).Bytes)));
    }

    [Fact]
    public void Numbers_that_come_early_wait_for_those_before_them()
    {
        var map = new MappingOperation(MappingKind.Map, Page, Page, 7);
        _space.Submit(3, map);
        _space.Submit(2, new MappingOperation(MappingKind.Unmap, Page, Page));
        Assert.Empty(_space.Stacks);
        _space.Submit(1, map);
        Assert.Equal((1, (long)Page), (_space.Live.Blocks, _space.Live.Bytes));
        Assert.Equal((2, 1), (_space.Stacks[0].Mappings, _space.Stacks[0].Unmappings));
        Assert.Equal(0, _space.Missing);
    }

    [Theory]
    [InlineData(true, 4)]
    [InlineData(false, 0)]
    public void Numbers_that_never_come_are_passed_over_and_counted_where_they_are_lost(bool areLost, long missing)
    {
        _space.Submit(5, new MappingOperation(MappingKind.Map, Page, Page, 7));
        _space.PassOverGaps(areLost);
        Assert.Equal((1, missing), (_space.Live.Blocks, _space.Missing));
        _space.Submit(6, new MappingOperation(MappingKind.Unmap, Page, Page));
        Assert.Equal((0, missing), (_space.Live.Blocks, _space.Missing));
    }

    [Fact]
    public void What_is_moved_was_known_or_is_nobodys()
    {
        Remap(MappingKind.Unmap, 1, 4, 10, 8, 7); // a file, or from before the recording
        Assert.Empty(_space.Stacks);
        Submit(MappingKind.Map, 1, 4, 7);
        Remap(MappingKind.Keep, 1, 4, 10, 4, 8);
        Assert.Equal((2, 8 * (long)Page), (_space.Live.Blocks, _space.Live.Bytes));
    }

    [Theory]
    [InlineData(0UL, Page)]
    [InlineData(Page, 0UL)]
    [InlineData(Page, ulong.MaxValue)]
    [InlineData(ulong.MaxValue >> 8, 1UL << 47)]
    public void Ranges_that_cannot_be_harm_nothing(ulong start, ulong bytes)
    {
        foreach (var kind in new[] { MappingKind.Map, MappingKind.Unmap, MappingKind.Keep, MappingKind.Map })
        {
            _space.Submit(++_order, new MappingOperation(kind, start, bytes, 7));
        }

        Assert.InRange(_space.Live.Blocks, 0, 1);
    }

    [Fact]
    public void More_than_there_is_room_for_is_counted_as_not_followed()
    {
        const int most = MappedRanges.Most;
        for (var i = 1; i <= most + 10; i++)
        {
            Submit(MappingKind.Map, 3 * i, 2, 7);
        }

        Assert.Equal((most, 10), (_space.Live.Blocks, _space.Unfollowed));
        Submit(MappingKind.Map, 3, 2, 8); // in the place of one
        Assert.Equal(most, _space.Live.Blocks);
        Submit(MappingKind.Unmap, 3, 1);
        Assert.Equal((most, 10), (_space.Live.Blocks, _space.Unfollowed));
        Submit(MappingKind.Map, 3 * (most + 20), 9, 8); // no room
        Assert.Equal(11, _space.Unfollowed);
        Assert.Equal((most * 2 * (long)Page) - (long)Page, _space.Live.Bytes);
    }

    private void Submit(MappingKind kind, int start, int count, uint node = 0) =>
        _space.Submit(++_order, new MappingOperation(kind, (ulong)start * Page, (ulong)count * Page, node));

    private void Remap(MappingKind kind, int start, int count, int to, int pages, uint node)
    {
        var moved = new MovedRange();
        _space.Submit(++_order, new MappingOperation(kind, (ulong)start * Page, (ulong)count * Page) { Moved = moved });
        _space.Submit(++_order, new MappingOperation(MappingKind.Map, (ulong)to * Page, (ulong)pages * Page, node) { Moved = moved });
    }

    // Knows of each page which mapping it is of.
    private sealed class PageAccount
    {
        private readonly int[] _of = new int[Pages + 1]; // 0: none
        private readonly List<(uint Node, int Pages, int Left)> _mappings = [default];

        public (long, long) Live => (_mappings.Count(it => it.Left > 0), _of.Count(it => it != 0) * (long)Page);

        public long Peak { get; private set; }

        public void Map(int start, int count, uint node)
        {
            Unmap(start, count);
            Array.Fill(_of, _mappings.Count, start, count);
            _mappings.Add((node, count, count));
            Peak = Math.Max(Peak, Live.Item2);
        }

        public void Unmap(int start, int count)
        {
            for (var i = start; i < start + count; i++)
            {
                var of = _of[i];
                _of[i] = 0;
                _mappings[of] = _mappings[of] with { Left = _mappings[of].Left - 1 };
            }
        }

        public void Remap(int start, int count, int to, int pages, uint node)
        {
            var known = _of.AsSpan(start, count).ContainsAnyExcept(0);
            Unmap(start, count);
            Unmap(to, pages);
            if (known)
            {
                Map(to, pages, node);
            }
        }

        public (long, long, long, long) Of(uint node)
        {
            var own = _mappings.Skip(1).Where(it => it.Node == node).ToList();
            return (
                own.Count, own.Sum(it => it.Pages) * (long)Page, own.Count(it => it.Left == 0),
                own.Sum(it => it.Pages - it.Left) * (long)Page);
        }
    }
}
