using NativeHeap.Collect.Stacks;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed class StackTableTests
{
    [Fact]
    public void Every_node_has_one_id_dense_in_the_order_of_first_use()
    {
        using var table = new StackTable();
        var known = new Dictionary<(int Parent, int Location), int>();
        var random = new Random(1);
        for (var i = 0; i < 100_000; i++)
        {
            var node = (Parent: random.Next(0, table.Count + 1), Location: random.Next(1, 50));
            var id = table.IdOf(node.Parent, node.Location);
            Assert.Equal(known.GetValueOrDefault(node, known.Count + 1), id);
            known[node] = id;
            Assert.Equal(node, table[id]);
            Assert.Equal(table.Depth(node.Parent) + 1, table.Depth(id));
        }

        Assert.Equal(known.Count, table.Count);
        Assert.All(known, item => Assert.Equal(item.Value, table.IdOf(item.Key.Parent, item.Key.Location)));
    }

    [Fact]
    public void Nodes_that_share_a_hash_are_two()
    {
        const int Parents = 1000;
        using var table = new StackTable();
        for (var location = 1; location <= Parents; location++)
        {
            table.IdOf(0, location);
        }

        var random = new Random(2);
        var byHash = new Dictionary<uint, (int, int)>();
        (int Parent, int Location) first, second;
        do // some hundred thousand times
        {
            second = (random.Next(1, Parents + 1), random.Next());
            first = byHash.GetValueOrDefault(StackTable.Hash(second.Parent, second.Location), second);
            byHash[StackTable.Hash(second.Parent, second.Location)] = second;
        }
        while (first == second);
        var (a, b) = (table.IdOf(first.Parent, first.Location), table.IdOf(second.Parent, second.Location));
        Assert.NotEqual(a, b);
        Assert.Equal((a, b), (table.IdOf(first.Parent, first.Location), table.IdOf(second.Parent, second.Location)));
    }

    [Fact]
    public void What_a_node_came_to_is_kept_until_it_is_forgotten()
    {
        using var map = new NodeMap(10_000);
        Assert.False(map.TryGet(9_999, out _, out _));
        map.Set(9_999, 0, 7);
        map.Set(1, 5, 0);
        Assert.True(map.TryGet(9_999, out var stack, out var generation));
        Assert.Equal((0, 7u), (stack, generation));
        Assert.True(map.TryGet(1, out stack, out generation));
        Assert.Equal((5, 0u), (stack, generation));
        Assert.False(map.TryGet(2, out _, out _)); // of a piece that is there
        Assert.False(map.TryGet(10_000, out _, out _)); // no node
        map.Dispose();
        Assert.False(map.TryGet(1, out _, out _));
    }
}
