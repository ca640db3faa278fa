using NativeHeap.Graph.Objects;

namespace NativeHeap.Graph.Tests.Objects;

/// <summary>Who holds the blocks of a .NET program that tells where they are, in one picture of it.</summary>
public sealed class ManagedHoldersTests(ManagedHoldersTests.Searched searched) : IClassFixture<ManagedHoldersTests.Searched>
{
    private const string Program = "NativeHeap.Targets.Program";

    public sealed class Searched : IDisposable
    {
        public Searched()
            : this(hasServerCollector: false)
        {
        }

        internal Searched(bool hasServerCollector)
        {
            Running = new ObjectsProgram(20_000, hasServerCollector);
            Picture = HeapPicture.Take(Running.Pid, withRoots: true);
            Types = new TypeStatistics(Picture);
            Search = new HolderSearch(Picture, Types);
        }

        internal ObjectsProgram Running { get; }

        internal HeapPicture Picture { get; }

        internal TypeStatistics Types { get; }

        internal HolderSearch Search { get; }

        internal HolderAnswer Answer(ulong address)
        {
            var node = Search.Graph.NodeAround(address);
            Assert.NotEqual(HeapGraph.NoNode, node);
            var answer = Search.Find(node, 1);
            Assert.Equal(address, answer.Target.Address);
            return answer;
        }

        public void Dispose()
        {
            Search.Dispose();
            Types.Dispose();
            Picture.Dispose();
            Running.Dispose();
        }
    }

    [Fact]
    public void Safe_handles_in_a_static_dictionary_hold_their_blocks()
    {
        var indices = new HashSet<string>();
        foreach (var chain in Chains("handle", 100, GraphRootKind.StaticField, $"{Program}.Handles"))
        {
            Assert.Equal(
                [
                    "System.Collections.Generic.Dictionary<System.Int32, System.Runtime.InteropServices.SafeHandle>",
                    "System.Collections.Generic.Dictionary<System.Int32, System.Runtime.InteropServices.SafeHandle>+Entry[]",
                    "NativeHeap.Targets.Buffer",
                    null,
                ],
                chain.Links.Select(link => link.Type));
            Assert.Equal("_entries", chain.Links[1].Via);
            Assert.Matches(@"^\[\d+\]\.value$", chain.Links[2].Via);
            Assert.True(indices.Add(chain.Links[2].Via!));
            Assert.Equal("handle", chain.Links[3].Via);
        }
    }

    [Fact]
    public void An_array_of_addresses_holds_them()
    {
        var chains = Chains("array", 50, GraphRootKind.StaticField, $"{Program}.Array").ToList();

        Assert.All(chains, chain => Assert.Equal(["System.IntPtr[]", null], chain.Links.Select(link => link.Type)));
        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"[{i}]"), chains.Select(chain => chain.Links[^1].Via));
    }

    [Fact]
    public void A_variable_of_an_async_method_holds_its_block()
    {
        foreach (var chain in Chains("async", 10, GraphRootKind.StaticField, null))
        {
            Assert.Contains("AsyncStateMachineBox", chain.Links[^2].Type, StringComparison.Ordinal);
            Assert.Equal("StateMachine.block", chain.Links[^1].Via);
            Assert.Contains(chain.RootName, new List<string> { $"{Program}.Tasks", $"{Program}.Never" });
        }
    }

    [Fact]
    public void What_only_a_dead_object_with_a_finalizer_holds_waits_for_that()
    {
        foreach (var chain in Chains("finalizable", 20, GraphRootKind.AwaitsFinalizer, null))
        {
            Assert.Equal(["NativeHeap.Targets.Finalizable", null], chain.Links.Select(link => link.Type));
            Assert.Equal("_block", chain.Links[1].Via);
        }
    }

    [Fact]
    public void An_object_that_only_a_handle_keeps_holds_its_block() => AssertHeldByHandles(searched);

    [Fact]
    public void Handles_of_all_processors_hold_under_the_server_collector()
    {
        using var server = new Searched(hasServerCollector: true);
        AssertHeldByHandles(server);
    }

    private static void AssertHeldByHandles(Searched searched)
    {
        Assert.Empty(searched.Picture.Notes);
        var blocks = searched.Running.Blocks("handled").ToList();
        Assert.Equal(Environment.ProcessorCount, blocks.Count);
        foreach (var block in blocks)
        {
            var chain = Assert.Single(searched.Answer(block).Chains);
            Assert.Equal((GraphRootKind.Handle, "strong handle"), (chain.RootKind, chain.RootName));
            Assert.Equal(["NativeHeap.Targets.Handled", null], chain.Links.Select(link => link.Type));
            Assert.Equal("Block", chain.Links[1].Via);
        }

        var attached = searched.Running.Blocks("attached").ToList();
        Assert.Equal(blocks.Count, attached.Count);
        foreach (var block in attached)
        {
            var chain = Assert.Single(searched.Answer(block).Chains);
            Assert.Equal((GraphRootKind.StaticField, $"{Program}.Keys"), (chain.RootKind, chain.RootName));
            Assert.Equal(["System.Object[]", "System.Object", "NativeHeap.Targets.Handled", null], chain.Links.Select(link => link.Type));
            Assert.Equal("dependent handle", chain.Links[2].Via);
        }
    }

    [Fact]
    public void A_lost_block_is_held_by_nobody_that_has_a_name()
    {
        var lost = searched.Running.Blocks("lost").ToList();
        Assert.Equal(10, lost.Count);
        Assert.All(lost, address => Assert.Equal(
            [], Answer(address).Chains.Where(chain => chain.RootKind < GraphRootKind.Register).Select(Spoken)));
    }

    [Fact]
    public void A_node_is_found_by_any_address_in_it_and_by_no_other()
    {
        var address = searched.Running.Blocks("array").First();
        var graph = searched.Search.Graph;

        Assert.Equal(graph.NodeAround(address), graph.NodeAround(address + 1001));
        Assert.NotEqual(HeapGraph.NoNode, graph.NodeAround(address));
        Assert.Equal(HeapGraph.NoNode, graph.NodeAround(0x1000));
        Assert.Equal(HeapGraph.NoNode, graph.NodeAround(ulong.MaxValue));
    }

    private static string Spoken(HolderChain chain) =>
        $"{chain.RootKind} {chain.RootName} {string.Join(" ", chain.Links.Select(link => $"-{link.Via}-> {link.Type} {link.Address:x} {link.Bytes}"))}";

    private HolderAnswer Answer(ulong address) => searched.Answer(address);

    private IEnumerable<HolderChain> Chains(string kind, int count, GraphRootKind root, string? rootName)
    {
        var blocks = searched.Running.Blocks(kind).ToList();
        Assert.Equal(count, blocks.Count);
        foreach (var block in blocks)
        {
            var chain = Assert.Single(Answer(block).Chains);
            Assert.Equal(block, chain.Links[^1].Address);
            Assert.True(chain.RootKind == root, Spoken(chain));
            Assert.Equal(rootName ?? chain.RootName, chain.RootName);
            yield return chain;
        }
    }
}
