using NativeHeap.Model;

namespace NativeHeap.Fixtures;

/// <summary>A small trace with a bit of everything, whose figures the tests know.</summary>
public static class SampleTrace
{
    /// <summary>
    /// Process 1 (pid 4711): a leak of 3 × 100 bytes in <c>parse</c> (inlined <c>copy</c>), 5,000 bytes from 0.10 s to
    /// 0.50 s in <c>load</c>, 10 temporaries of 16 bytes. Process 2 (pid 4712), forked, 0.2 s to 0.6 s: 64 bytes alive
    /// at its end, nameless.
    /// </summary>
    public static TraceBuilder Build()
    {
        var trace = new TraceBuilder();
        var parent = trace.Process(4711);
        var child = trace.Process(
            4712,
            ("parent_id", parent),
            ("parent_pid", 4711),
            ("origin", "fork"),
            ("start_ns", 200_000_000),
            ("end_ns", 600_000_000),
            ("ending", "signal"),
            ("exit_code", null),
            ("signal", 9),
            ("inherited_frees", 7));
        var server = trace.Module("/srv/server", "0011aabb");
        var library = trace.Module("/usr/lib/libz.so.1");
        var malloc = trace.Entry(EntryPoint.Malloc);
        var calloc = trace.Entry(EntryPoint.Calloc);
        var main = trace.Code(server, 0x1100, new ResolvedFrame("main", "server.c", 90, false));
        var parse = trace.Code(
            server,
            0x1200,
            new ResolvedFrame("copy(char const*)", "text.h", 12, true),
            new ResolvedFrame("parse(std::string)", "parse.cc", 40, false));
        var load = trace.Code(server, 0x1300, new ResolvedFrame("load", null, null, false));
        var nameless = trace.Code(library, 0x2f3a);
        var lost = trace.Marker(StackMarker.Lost);

        var leak = trace.Stack(main, parse, malloc);
        var buffer = trace.Stack(main, load, calloc);
        var temporary = trace.Stack(main, malloc);
        var foreign = trace.Stack(lost, nameless, malloc);
        return trace
            .Blocks(parent, leak, 5, -1, 1, 100, atPeak: true)
            .Blocks(parent, leak, 30, -1, 2, 200, atPeak: true)
            .Blocks(parent, buffer, 10, 50, 1, 5000, atPeak: true)
            .Blocks(parent, temporary, 20, 20, 10, 160, temporary: true)
            .Blocks(child, foreign, 25, -1, 1, 64)
            .Peak(child, 64, 1, 250_000_000)
            .Peak(parent, 5300, 4, 300_000_000)
            .Ledger(parent, 500_000_000, 90_000, ("heap: live", 5000))
            .Ledger(parent, 990_000_000, 100_000, ("heap: live", 300), ("files", 60_000), ("stacks", 8192));
    }
}
