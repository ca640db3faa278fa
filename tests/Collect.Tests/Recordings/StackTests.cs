using NativeHeap.Collect.Stacks;
using NativeHeap.Managed;
using NativeHeap.Model;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed unsafe class StackTests
{
    [Fact]
    public void A_stack_is_places_in_modules_ending_in_the_allocation_function()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.AddModule("/lib/libx.so", 0x7000_0000, 0x7001_0000, 0x6FFF_0000);
        target.AddModule("", 0x40_0000, 0x41_0000, 0x40_0000);
        var main = target.AddNode(0, 0x40_1000);
        var calls = target.AddNode(main, 0x7001_0000); // returns to one past the module: the call is its last instruction
        var leaf = target.AddNode(calls, (ulong)Marker.EntryCalloc);
        target.Thread(0, 100).Alloc(0x1000, 10, leaf);

        using var trace = recorder.Read(process);
        Assert.Equal(
            [("/bin/program", 0x1000UL, FrameKind.Native), ("/lib/libx.so", 0x2_0000UL, FrameKind.Native),
                (null, (ulong)EntryPoint.Calloc, FrameKind.Entry)],
            Stack(trace, trace.StackTotals().Single().Stack));
        Assert.Equal("ab0c", trace.Locations[new LocationId(2)].Module!.BuildId);
    }

    [Fact]
    public void Nodes_that_two_threads_inserted_at_once_are_one_stack()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var a = target.AddStack(0x401000, 0x402000);
        var b = target.AddStack(0x401000, 0x402000);
        Assert.NotEqual(a, b);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 10, a);
        recorder.Recording.DrainOnce();
        recorder.Recording.Flush();
        thread.Alloc(0x2000, 20, b);
        thread.Alloc(0x3000, 30, a);
        thread.Free(0x1000);

        using var trace = recorder.Read(process);
        var row = trace.StackTotals().Single();
        Assert.Equal((3, 60, 1, 10), (row.Allocations, row.AllocatedBytes, row.Frees, row.FreedBytes));
        Assert.Equal((3, 60), (row.PeakBlocks, row.PeakBytes));
        Assert.Equal(3, trace.Stacks.Count);
        Assert.Equal([(-1, 50L), (0, 10L)], trace.Cohorts().Select(cohort => (cohort.Death, cohort.Bytes)));
        Assert.Equal(3, trace.Histogram(HistogramKind.Size).Sum(bucket => bucket.Blocks));
    }

    [Fact]
    public void A_module_that_is_claimed_but_not_filled_in_is_waited_for()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.View.Header->ModuleCount = 1;
        target.Thread(0, 100).Alloc(0x1000, 10, target.AddStack(0x7000_1000));
        recorder.Recording.DrainOnce();
        recorder.Recording.Flush();
        target.View.Header->ModuleCount = 0;
        target.AddModule("/lib/libx.so", 0x7000_0000, 0x7001_0000, 0x7000_0000);

        using var trace = recorder.Read(process);
        var row = trace.StackTotals().Single();
        Assert.Equal("/lib/libx.so", Stack(trace, row.Stack)[0].Module);
        Assert.Equal((1, 10L), (row.Allocations, row.AllocatedBytes));
        Assert.Equal((1, 10L), trace.Cohorts().Select(cohort => (cohort.Blocks, cohort.Bytes)).Single());
    }

    [Fact]
    public void A_module_that_is_never_filled_in_costs_names_and_nothing_else()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.View.Header->ModuleCount = 1;
        target.Thread(0, 100).Alloc(0x1000, 10, target.AddStack(0x7000_1000));

        using var trace = recorder.Read(process);
        var row = trace.StackTotals().Single();
        Assert.Equal((null, 0x7000_1000UL, FrameKind.Native), Stack(trace, row.Stack)[0]);
        Assert.Equal(10, row.AllocatedBytes);
    }

    [Fact]
    public void An_address_means_the_module_of_its_generation()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        target.AddModule("/lib/old.so", 0x7000_0000, 0x7001_0000, 0x7000_0000);
        var old = target.AddStack(0x7000_1000);
        target.View.ModuleAt(0)->State = (uint)ModuleState.Unloaded;
        target.View.ModuleAt(0)->UnloadNs = target.ClockNs;
        target.AddModule("/lib/new.so", 0x7000_0000, 0x7001_0000, 0x7000_0000, generation: 1);
        var fresh = target.AddStack((ulong)Marker.Generation, 0x7000_1000);
        var later = target.AddStack((ulong)Marker.Generation + 4, 0x7000_1000);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 1, later);
        thread.Alloc(0x2000, 2, old);
        thread.Alloc(0x3000, 4, fresh);

        using var trace = recorder.Read(process);
        Assert.Equal(
            [("/lib/new.so", 5L), ("/lib/old.so", 2L)],
            trace.StackTotals().Select(row => (Stack(trace, row.Stack)[0].Module!, row.AllocatedBytes)));
    }

    [Fact]
    public void A_child_has_its_own_modules_and_those_of_its_ancestors()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var parent = recorder.Attach(target);
        target.AddModule("/lib/shared.so", 0x7000_0000, 0x7001_0000, 0x7000_0000);
        target.AddModule("/lib/parents.so", 0x7100_0000, 0x7101_0000, 0x7100_0000);
        var slot = target.Fork(0, 200);
        target.AddModule("/lib/childs.so", 0x7100_0000, 0x7101_0000, 0x7100_0000, (uint)slot);
        var stack = target.AddStack(0x7000_1000, 0x7100_1000);
        target.Thread(0, 100).Alloc(0x1000, 1, stack);
        target.Thread(slot, 200).Alloc(0x1000, 2, stack);
        recorder.Recording.DrainOnce();

        using var trace = recorder.Read(parent, recorder.Found[0].Id);
        Assert.Equal(
            ["/lib/shared.so /lib/parents.so", "/lib/shared.so /lib/childs.so"],
            trace.StackTotals().Select(row =>
                string.Join(' ', Stack(trace, row.Stack).Select(frame => frame.Module).OfType<string>())));
    }

    [Fact]
    public void Stacks_that_say_they_are_cut_keep_saying_so()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var thread = target.Thread(0, 100);
        thread.Alloc(0x1000, 1, target.AddStack((ulong)Marker.DepthLimit, 0x401000));
        thread.Alloc(0x2000, 2, target.AddStack((ulong)Marker.Lost, 0x401000));
        thread.Alloc(0x3000, 4, target.AddStack(77, 0x401000)); // no marker that we know
        thread.Alloc(0x4000, 8, 4000); // no such node
        thread.Alloc(0x5000, 16, uint.MaxValue);
        var known = target.AddNode(0, 0x401000);
        thread.Alloc(0x6000, 32, target.AddNode(target.AddNode(known, (ulong)Marker.TreeFull), (ulong)Marker.EntryMalloc));

        using var trace = recorder.Read(process);
        var stacks = trace.StackTotals().ToDictionary(row => Stack(trace, row.Stack)[0].Offset, row => row.AllocatedBytes);
        Assert.Equal(1, stacks[(ulong)Marker.DepthLimit]);
        Assert.Equal(6, stacks[(ulong)Marker.Lost]);
        Assert.Equal(24, stacks[(ulong)Marker.TreeFull]);
        Assert.Equal(
            "the stacks of 3 allocations lack frames: there was no room for more stacks", trace.Processes[0].Note);
    }

    [Fact]
    public void A_tree_deeper_than_any_stack_is_cut()
    {
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        uint node = 0;
        var thread = target.Thread(0, 100);
        for (var i = 0; i < 3000; i++)
        {
            node = target.AddNode(node, 0x400000 + (ulong)(i * 16));
            if (i % 500 == 499)
            {
                thread.Alloc(0x1000 + (ulong)(i * 16), 1, node);
                recorder.Recording.DrainOnce();
                recorder.Recording.Flush();
            }
        }

        using var trace = recorder.Read(process);
        Assert.Equal(6, trace.StackTotals().Sum(row => row.Allocations));
        Assert.All(trace.StackTotals(), row => Assert.InRange(Stack(trace, row.Stack).Count, 1, 1100));
    }

    [Fact]
    public void Code_of_no_module_is_a_place_of_its_process_and_of_what_was_there_then()
    {
        const ulong epoch = 1UL << 48;
        using var recorder = new Recorder();
        var target = new Target();
        var parent = recorder.Attach(target);
        var slot = target.Fork(0, 200);
        var first = target.AddStack(0x7000_1000);
        var second = target.AddStack(0x7000_1000 + (3 * epoch));
        target.Thread(0, 100).Alloc(0x1000, 1, first);
        recorder.Recording.DrainOnce();
        recorder.At(70);
        target.Thread(0, 101).Alloc(0x2000, 2, second);
        target.Thread(slot, 200).Alloc(0x3000, 4, first);
        recorder.Recording.DrainOnce();

        using var trace = recorder.Read(parent, recorder.Found[0].Id);
        Assert.Equal(
            [(1, 0, 0L), (1, 3, 70_000_000L), (2, 0, 70_000_000L)],
            trace.Code().Select(code => (code.Process.Value, code.Epoch, code.SeenNs)).Order());
        Assert.All(trace.Code(), code => Assert.Equal(0x7000_1000UL, code.Address));
        Assert.All(trace.Code(), code => Assert.Equal(0x7000_1000UL, trace.Locations[code.Location].Offset));
        Assert.Equal([1L, 2, 4], trace.StackTotals().Select(row => row.AllocatedBytes).Order());
    }

    [Fact]
    public void Reused_code_is_named_by_the_moment_at_which_it_was_seen_and_by_its_method_or_not_at_all()
    {
        const ulong address = 0x7000_1000;
        const ulong last = WireConstants.LastReuseEpoch;
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var thread = target.Thread(0, 100);
        ulong[] epochs = [1, 2, 3, 4, last];
        foreach (var epoch in epochs)
        {
            thread.Alloc(0x1000 * epoch, 1, target.AddStack(address | (epoch << 48)));
        }

        target.AddReused(address | (1UL << 48), Target.StartNs + 19, 'A');
        target.AddReused(address | (2UL << 48), Target.StartNs + 20, 'B');
        target.AddReused(address | (3UL << 48), Target.StartNs + 21, 'C'); // nobody told of a C
        target.AddReused(address | (last << 48), Target.StartNs + 21, 'B'); // whatever came later has this epoch, too
        recorder.Recording.DrainOnce();
        var map = new CodeMap();
        foreach (var (name, time) in new[] { ('A', 10UL), ('B', 20UL), ('A', 30UL) })
        {
            map.Add(new MethodCode
            {
                Start = address - 0x10,
                Size = 0x100,
                LoadNs = Target.StartNs + time,
                MethodId = name,
                Namespace = "",
                Name = $"{name}",
                Signature = "",
                Tier = CodeTier.Dynamic,
            });
        }

        recorder.End(process);
        recorder.Recording.Finish();
        recorder.Recording.NameManagedCode(_ => map, CancellationToken.None);

        using var trace = recorder.Read();
        var names = trace.Methods().ToDictionary(method => method.Id, method => method.Name);
        Assert.Equal(
            [(1, "A"), (2, "B"), (3, null), (4, null), ((int)last, (string?)null)],
            trace.Code().Select(code => (code.Epoch, code.Method is { } method ? names[method] : null)).Order());
    }

    [Theory]
    [InlineData(20, 3, "3 of 20 places in code of no file have no names")]
    [InlineData(20, 2, null)] // a stub or two
    public void Where_much_code_of_no_file_has_no_name_the_process_says_so(int places, int nameless, string? note)
    {
        const ulong Known = 0x7F00_0000_0000, Unknown = 0x7F10_0000_0000;
        using var recorder = new Recorder();
        var target = new Target();
        var process = recorder.Attach(target);
        var thread = target.Thread(0, 100);
        for (var place = 1; place <= places; place++)
        {
            var code = place <= nameless ? Unknown : Known;
            thread.Alloc(0x1000 * (ulong)place, 1, target.AddStack(code + (0x10 * (ulong)place)));
        }

        recorder.Recording.DrainOnce();
        var map = new CodeMap();
        map.Add(new MethodCode
        {
            Start = Known,
            Size = 0x1000,
            LoadNs = 1,
            MethodId = 1,
            Namespace = "",
            Name = "Known",
            Signature = "",
            Tier = CodeTier.Dynamic,
        });
        recorder.End(process);
        recorder.Recording.Finish();
        recorder.Recording.NameManagedCode(_ => map, CancellationToken.None);

        using var trace = recorder.Read();
        Assert.Equal(note, trace.Processes[0].Note?.Split(':')[0]);
    }

    [Fact]
    public void Modules_that_the_shim_does_not_know_are_looked_up_in_the_process()
    {
        using var recorder = new Recorder(new Mappings());
        var target = new Target();
        var process = recorder.Attach(target);
        target.Thread(0, 100).Alloc(0x1000, 10, target.AddStack(0x5000_1000));
        recorder.Recording.DrainOnce();
        recorder.Recording.Flush();

        using var trace = recorder.Read(process);
        Assert.Equal(
            ("/lib/mapped.so", 0x1000UL, FrameKind.Native), Stack(trace, trace.StackTotals().Single().Stack)[0]);
    }

    private static List<(string? Module, ulong Offset, FrameKind Kind)> Stack(TraceReader trace, StackId leaf)
    {
        var frames = new List<(string?, ulong, FrameKind)>();
        for (var stack = leaf; stack != StackId.Root; stack = trace.Stacks.Parent(stack))
        {
            var location = trace.Locations[trace.Stacks.Location(stack)];
            frames.Insert(0, (location.Module?.Path, location.Offset, location.Kind));
        }

        return frames;
    }

    private sealed class Mappings : IMappingSource
    {
        public IReadOnlyList<MappedModule>? Read(int pid) =>
            pid == 100 ? [new MappedModule("/lib/mapped.so", null, 0x5000_0000, 0x5001_0000, 0x5000_0000)] : null;
    }
}
