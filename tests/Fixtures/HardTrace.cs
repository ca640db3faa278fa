using NativeHeap.Model;

namespace NativeHeap.Fixtures;

/// <summary>A trace that is hard to print: long names, recursion, remarks, hostile names, estimates, many processes.</summary>
public static class HardTrace
{
    public static TraceBuilder Build()
    {
        var trace = new TraceBuilder()
            .Meta("command", """["g++","-O2","-c","/home/build/project/src/engine/very/deep/folder/translation_unit.cc","-o","a.o"]""")
            .Meta("exact", 0)
            .Meta("sample_bytes", 524288)
            .Meta("complete", 0)
            .Meta("lost_events", 12345);
        for (var pid = 100; pid < 125; pid++)
        {
            trace.Process(
                pid,
                ("origin", pid == 100 ? "run" : "fork"),
                ("command", $"/usr/libexec/gcc/cc1plus -quiet -imultiarch x86_64-linux-gnu -D_GNU_SOURCE part{pid}.cc"),
                ("missed_calls", pid == 100 ? 3 : 0),
                ("foreign_frees", pid == 101 ? 2 : 0),
                ("note", pid == 100 ? "recording ended early:\nthe collector \e[31mwas stuck\e[0m" : null));
        }

        var compiler = trace.Module("/usr/libexec/gcc/x86_64-linux-gnu/12/cc1plus");
        var malloc = trace.Entry(EntryPoint.Malloc);
        var memalign = trace.Entry(EntryPoint.PosixMemalign);
        var main = trace.Code(compiler, 0x1000, new ResolvedFrame("main", "/home/build/gcc/main.cc", 39, false));
        var recursive = trace.Code(
            compiler, 0x2000, new ResolvedFrame("walk_tree_1(tree_node**, int*)", "/home/build/gcc/tree.cc", 11234, false));
        var template = trace.Code(
            compiler,
            0x3000,
            new ResolvedFrame(
                "std::__detail::_Map_base<std::__cxx11::basic_string<char>, std::pair<std::__cxx11::basic_string<char> const, "
                + "std::vector<int>>, std::allocator<std::pair<std::__cxx11::basic_string<char> const, std::vector<int>>>>"
                + "::operator[](std::__cxx11::basic_string<char> const&)",
                "/usr/include/c++/12/bits/hashtable_policy.h",
                731,
                true),
            new ResolvedFrame("lookup", "/home/build/gcc/cp/name-lookup.cc", 900, false));
        var hostile = trace.Code(compiler, 0x4000, new ResolvedFrame("evil\e]0;title\a\u202e name\n", "a\tb.c", 1, false));
        var limit = trace.Marker(StackMarker.DepthLimit);
        var full = trace.Marker(StackMarker.TreeFull);

        int[] deep = [limit, .. Enumerable.Repeat(recursive, 500), template, malloc];
        int[] winding = [main, .. Enumerable.Range(0, 100).Select(i => trace.Code(compiler, 0x5000 + i)), memalign];
        return trace
            .Blocks(1, trace.Stack(deep), 0, -1, 1_200, 123_456_789)
            .Blocks(1, trace.Stack(winding), 1, -1, 7, 3_000_000)
            .Blocks(2, trace.Stack(main, hostile, malloc), 2, -1, 1, 1024)
            .Blocks(1, trace.Stack(main, full), 3, -1, 1, 0)
            .Peak(1, 200_000_000, 1_300, 999_000_000, 190_000_000, 212_000_000);
    }
}
