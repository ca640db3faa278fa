using NativeHeap.Model;

namespace NativeHeap.Graph.Tests;

/// <summary>Lists of pointers come back as they were written, wherever slabs end.</summary>
public sealed class PointerGraphTests
{
    [Fact]
    public void lists_are_read_as_they_were_written()
    {
        const int count = 30_000, seed = 4711;
        using var blocks = new HeapBlocks();
        for (var i = 0; i < count; i++)
        {
            blocks.Add((ulong)(i + 1) * 64, 64, 0);
        }

        using var graph = new PointerGraph();
        var lists = new List<HeapPointer>[count];
        var random = new Random(seed);
        PointerGraph.Writer[] writers = [new(graph, blocks), new(graph, blocks), new(graph, blocks)];
        for (var i = 0; i < count; i++)
        {
            // Now and then one that is longer than a slab.
            lists[i] = [.. Enumerable.Range(0, i % 1_999 == 5 ? 70_000 : random.Next(6)).Select(_ => Any(random, count))];
            foreach (var pointer in lists[i])
            {
                writers[i % 3].Add(i, pointer);
            }
        }

        Array.ForEach(writers, writer => writer.Close());
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(lists[i], Read(graph, blocks[i]));
        }
    }

    [Fact]
    public void a_block_without_pointers_has_no_list()
    {
        using var graph = new PointerGraph();
        Assert.Empty(Read(graph, default));
    }

    private static HeapPointer Any(Random random, int blocks) => random.Next(4) == 0
        ? new HeapPointer(random.Next(blocks), (ulong)random.NextInt64(1, long.MaxValue), (ulong)random.NextInt64())
        : new HeapPointer(random.Next(blocks), 0, 0);

    private static List<HeapPointer> Read(PointerGraph graph, in HeapBlock block)
    {
        var list = new List<HeapPointer>();
        var reader = graph.Of(block);
        while (reader.TryNext(out var pointer))
        {
            list.Add(pointer);
        }

        return list;
    }
}
