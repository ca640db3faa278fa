using NativeHeap.Fixtures;
using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Testing;

namespace NativeHeap.Analysis.Tests;

/// <summary>Stacks are one when their resolved frames are equal.</summary>
public sealed class MergingTests : IDisposable
{
    private static readonly ResolvedFrame s_main = new("main", "a.c", 10, false);
    private static readonly ResolvedFrame s_work = new("work(int)", "a.c", 20, false);

    private readonly TempFolder _folder = new();
    private readonly TraceBuilder _trace = new();
    private readonly int _process;
    private readonly int _module;
    private readonly int _malloc;

    public MergingTests()
    {
        _process = _trace.Process(1);
        _module = _trace.Module("/bin/a", "aa");
        _malloc = _trace.Entry(EntryPoint.Malloc);
    }

    public void Dispose() => _folder.Dispose();

    private List<StackCost> Stacks(ISymbolizer? symbolizer = null)
    {
        using var profile = Profile.Open(_trace.Write(_folder[$"{Guid.NewGuid()}.nheap"]), symbolizer is null ? null : () => symbolizer);
        return [.. profile.Ask(new StackQuestion()).Stacks];
    }

    private void Allocate(params int[] locations) => _trace.Blocks(_process, _trace.Stack(locations), 0, -1, 1, 10);

    [Fact]
    public void Call_sites_of_one_line_are_one_frame()
    {
        var caller = _trace.Code(_module, 0x100, s_main);
        Allocate(caller, _trace.Code(_module, 0x200, s_work), _malloc);
        Allocate(caller, _trace.Code(_module, 0x240, s_work), _malloc);

        var cost = Assert.Single(Stacks());
        Assert.Equal((20, 2), (cost.Bytes, cost.Blocks));
        Assert.Equal(["work(int)", "main"], cost.Stack.Frames.Select(f => f.Name?.Function));
    }

    [Fact]
    public void Frames_below_merged_ones_merge_too()
    {
        Allocate(_trace.Code(_module, 0x100, s_main), _trace.Code(_module, 0x200, s_work), _malloc);
        Allocate(_trace.Code(_module, 0x120, s_main), _trace.Code(_module, 0x240, s_work), _malloc);
        Assert.Single(Stacks());
    }

    [Fact]
    public void Other_lines_files_functions_modules_and_inlining_are_other_frames()
    {
        var other = _trace.Module("/bin/b");
        Allocate(_trace.Code(_module, 0x200, s_work), _malloc);
        Allocate(_trace.Code(_module, 0x210, s_work with { Line = 21 }), _malloc);
        Allocate(_trace.Code(_module, 0x220, s_work with { File = "b.c" }), _malloc);
        Allocate(_trace.Code(_module, 0x230, s_work with { Function = "work(long)" }), _malloc);
        Allocate(_trace.Code(other, 0x200, s_work), _malloc);
        Allocate(_trace.Code(_module, 0x240, s_work with { Inlined = true }, s_main), _malloc);
        Allocate(_trace.Code(_module, 0x250, s_main), _trace.Code(_module, 0x260, s_work), _malloc);
        Assert.Equal(7, Stacks().Count);
    }

    [Fact]
    public void Other_entries_are_other_stacks()
    {
        var caller = _trace.Code(_module, 0x100, s_main);
        Allocate(caller, _malloc);
        Allocate(caller, _trace.Entry(EntryPoint.PosixMemalign));
        Assert.Equal(
            [EntryPoint.Malloc, EntryPoint.PosixMemalign], Stacks().Select(s => s.Stack.Entry).OfType<EntryPoint>().Order());
    }

    [Fact]
    public void Nameless_frames_are_one_only_at_one_place()
    {
        Allocate(_trace.Code(_module, 0x100), _malloc);
        Allocate(_trace.Code(_module, 0x108), _malloc);
        Allocate(_trace.Code(_trace.Module("/bin/a", "bb"), 0x100), _malloc);
        Allocate(_trace.Code(_module, 0x100), _malloc); // another row for the first place
        Assert.Equal([20L, 10, 10], Stacks().Select(s => s.Bytes));
    }

    [Fact]
    public void Two_tiers_of_a_managed_method_are_one_frame()
    {
        var method = new ResolvedFrame("App.Program.Main(string[])", null, null, false);
        Allocate(_trace.Place(null, 0x7f0000001000, "managed", method), _malloc);
        Allocate(_trace.Place(_module, 0x2000, "managed", method), _malloc);
        Assert.Single(Stacks());
    }

    [Fact]
    public void A_new_generation_of_nodes_is_no_difference()
    {
        var caller = _trace.Code(_module, 0x100, s_main);
        Allocate(caller, _malloc);
        Allocate(_trace.Marker(StackMarker.Generation), caller, _malloc);
        Assert.Equal(["main"], Assert.Single(Stacks()).Stack.Frames.Select(f => f.Name?.Function));
    }

    [Fact]
    public void Remarks_stay_where_frames_are_missing()
    {
        Allocate(_trace.Marker(StackMarker.DepthLimit), _trace.Code(_module, 0x100, s_main), _malloc);
        Allocate(_trace.Code(_module, 0x100, s_main), _trace.Marker(StackMarker.TreeFull));
        var stacks = Stacks();

        Assert.Equal([StackMarker.DepthLimit], stacks.SelectMany(s => s.Stack.Frames.TakeLast(1)).Select(f => f.Marker).OfType<StackMarker>());
        var full = Assert.Single(stacks, s => s.Stack.Entry is null);
        Assert.Equal(StackMarker.TreeFull, full.Stack.Frames[0].Marker);
    }

    [Fact]
    public void A_trace_that_was_not_closed_gets_its_names_when_it_is_read()
    {
        _trace.Meta("end_ns", null);
        Allocate(_trace.Code(_module, 0x100), _trace.Code(null, 0x7f00), _malloc);
        Allocate(_trace.Code(_module, 0x108), _trace.Code(null, 0x7f00), _malloc);
        using var symbolizer = new FakeSymbolizer();

        var cost = Assert.Single(Stacks(symbolizer));

        Assert.Equal([null, "main"], cost.Stack.Frames.Select(f => f.Name?.Function));
        Assert.Equal([0x100UL, 0x108], symbolizer.Asked.Select(l => l.Offset)); // nothing is asked without a module
    }

    [Fact]
    public void A_trace_that_was_closed_keeps_the_names_it_has()
    {
        Allocate(_trace.Code(_module, 0x100), _malloc);
        using var symbolizer = new FakeSymbolizer();

        Assert.Null(Assert.Single(Stacks(symbolizer)).Stack.Frames[0].Name);
        Assert.Empty(symbolizer.Asked);
    }

    /// <summary>Everything is main.</summary>
    private sealed class FakeSymbolizer : ISymbolizer
    {
        public List<Location> Asked { get; } = [];

        public IReadOnlyList<string> Notes => [];

        public IReadOnlyList<IReadOnlyList<ResolvedFrame>> Resolve(
            IReadOnlyList<Location> locations, CancellationToken cancellation = default)
        {
            Asked.AddRange(locations);
            return [.. locations.Select(_ => (IReadOnlyList<ResolvedFrame>)[s_main])];
        }

        public void Dispose()
        {
        }
    }
}
