using System.Globalization;
using Microsoft.Diagnostics.Runtime;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Graph.Tests.Objects;

/// <summary>Objects by type, compared with those who know.</summary>
public sealed class CountingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Counts_of_a_core_and_of_the_process_are_those_of_ClrMD()
    {
        Tool.Need("gcore");
        using var running = new ObjectsProgram(600_000);
        Dictionary<string, (long Count, long Bytes)> live;
        using (var picture = HeapPicture.Take(running.Pid, withRoots: false))
        {
            Assert.Empty(picture.Notes);
            live = Managed(picture);
        }

        Tool.Run("gcore", "-o", _folder["core"], $"{running.Pid}");
        var path = _folder[$"core.{running.Pid}"];
        using var core = HeapPicture.TakeCore(path, withRoots: false);

        var expected = Enumerate(path);
        Assert.True(expected.Values.Sum(type => type.Count) > 1_200_000);
        Assert.Equal(expected, Managed(core));
        // A core has no pages of files, so ClrMD may know its types by their method tables alone.
        Assert.Equal(expected.Values.Order(), live.Values.Order());
    }

    [Fact]
    public void Objects_of_classes_are_counted_by_the_symbols_of_their_virtual_tables()
    {
        using var program = BlockProgram.Cpp(_folder, """
            struct Shape { virtual ~Shape() {} long a = 1; };
            struct Circle : Shape { long b = 2; };
            struct Named { virtual ~Named() {} long c = 3; };
            struct Both : Shape, Named { long d = 4; };
            namespace deep { template <class T> struct Box { virtual ~Box() {} T value{}; }; }
            struct Shared : virtual Named { long e = 5; };
            struct Plain { long f = 6; long g = 7; };
            static void *volatile kept[1000]; static int count;
            static void __attribute__((noinline)) work(void) {
                for (int i = 0; i < 7; i++) kept[count++] = new Shape;
                for (int i = 0; i < 11; i++) kept[count++] = new Circle;
                for (int i = 0; i < 13; i++) kept[count++] = static_cast<Named *>(new Both); // held by its second base
                for (int i = 0; i < 5; i++) kept[count++] = new deep::Box<int>;
                for (int i = 0; i < 3; i++) kept[count++] = new Shared;
                for (int i = 0; i < 9; i++) kept[count++] = new Plain;
                kept[count++] = new Circle[6];
                delete new Both;
            }
            """);
        using var picture = HeapPicture.Take(program.Pid, withRoots: true);
        using var types = new TypeStatistics(picture);

        var found = types.Count().Where(type => type.Kind == ObjectKind.Cpp).ToDictionary(type => type.Type, type => type.Count);

        var expected = new Dictionary<string, long>
        {
            ["Shape"] = 7,
            ["Circle"] = 17,
            ["Both"] = 13,
            ["deep::Box<int>"] = 5,
            ["Shared"] = 3,
        };
        Assert.Equal(expected, found);
        AssertHeldByGlobal(picture, types, "Both", 13);
    }

    [Fact]
    public void A_process_that_ends_while_it_is_looked_at_is_said_to_have_ended()
    {
        using var running = new ObjectsProgram(10);

        var error = Assert.Throws<ToolException>(() => HeapPicture.Take(running.Pid, withRoots: false, held =>
        {
            Tool.Run("kill", "-KILL", $"{held.Pid}");
            Assert.True(SpinWait.SpinUntil(() => !held.IsThere, TimeSpan.FromSeconds(10)));
            throw new ToolException("the recording has no such process", ExitCodes.Target);
        }));

        Assert.Equal((ExitCodes.Target, $"process {running.Pid} ended while it was looked at"), (error.ExitCode, error.Message));
    }

    [Fact]
    public void A_core_of_a_C_program_tells_blocks_types_and_holders()
    {
        Tool.Need("gcore");
        using var program = BlockProgram.Cpp(_folder, """
            struct Both { virtual ~Both() {} void *next = nullptr; };
            static void *volatile kept[16];
            static void __attribute__((noinline)) work(void) {
                for (int i = 0; i < 4; i++) kept[i] = new Both;
            }
            """);
        Tool.Run("gcore", "-o", _folder["core"], $"{program.Pid}");
        using var picture = HeapPicture.TakeCore(_folder[$"core.{program.Pid}"], withRoots: true);
        using var types = new TypeStatistics(picture);

        Assert.Equal(4, types.Count().Single(type => type.Type == "Both").Count);
        AssertHeldByGlobal(picture, types, "Both", 4);
    }

    [Fact]
    public void Ways_to_a_block_come_shortest_first_and_a_ring_is_marked()
    {
        using var program = BlockProgram.Cpp(_folder, """
            struct First { virtual ~First() {} void *next = nullptr; };
            struct Ring { virtual ~Ring() {} void *next = nullptr; void *other = nullptr; };
            static First *volatile straight; static Ring *volatile around;
            static void __attribute__((noinline)) work(void) {
                Ring *one = new Ring, *two = new Ring;
                one->next = two; two->other = one; around = one;
                First *last = new First, *middle = new First;
                straight = last; last->next = middle; middle->next = two;
                say("two", two, sizeof(Ring));
            }
            """);
        using var picture = HeapPicture.Take(program.Pid, withRoots: true);
        using var types = new TypeStatistics(picture);
        using var search = new HolderSearch(picture, types);

        var chains = search.Find(search.Graph.NodeAround(program.Address("two")), 5).Chains;

        Assert.Equal(["around", "straight"], chains.Select(chain => chain.RootName));
        Assert.Equal(["Ring", "Ring"], chains[0].Links.Select(link => link.Type));
        Assert.Equal(["First", "First", "Ring"], chains[1].Links.Select(link => link.Type));
        Assert.Equal([null, "+0x8"], chains[0].Links.Select(link => link.Via));
        Assert.All(chains[0].Links, link => Assert.True(link.IsInCycle));
        Assert.All(chains[1].Links, link => Assert.False(link.IsInCycle));
        Assert.Single(search.Find(search.Graph.NodeAround(program.Address("two")), 1).Chains);
    }

    private static void AssertHeldByGlobal(HeapPicture picture, TypeStatistics types, string type, int count)
    {
        using var search = new HolderSearch(picture, types);
        var instances = types.Instances(type).ToList();
        Assert.Equal(count, instances.Count);
        foreach (var instance in instances)
        {
            var chain = Assert.Single(search.Find(instance.Node, 1).Chains);
            Assert.Equal(GraphRootKind.Global, chain.RootKind);
            Assert.StartsWith("kept", chain.RootName, StringComparison.Ordinal);
            Assert.Equal(type, Assert.Single(chain.Links).Type);
        }
    }

    private static Dictionary<string, (long Count, long Bytes)> Managed(HeapPicture picture)
    {
        using var types = new TypeStatistics(picture);
        return types.Count().Where(type => type.Kind == ObjectKind.Managed)
            .ToDictionary(type => type.Type, type => (type.Count, type.Bytes));
    }

    private static Dictionary<string, (long Count, long Bytes)> Enumerate(string core)
    {
        using var target = DataTarget.LoadDump(core);
        var info = target.ClrVersions.Single();
        var library = Path.Combine(Path.GetDirectoryName(info.ModuleInfo.FileName)!, "libmscordaccore.so");
        using var runtime = info.CreateRuntime(library, ignoreMismatch: true);
        return runtime.Heap.EnumerateObjects().Where(item => !item.IsFree).GroupBy(item => item.Type!.Name ?? string.Create(CultureInfo.InvariantCulture, $"method table 0x{item.Type.MethodTable:x}"))
            .ToDictionary(group => group.Key, group => ((long)group.Count(), group.Sum(item => (long)item.Size)));
    }
}
