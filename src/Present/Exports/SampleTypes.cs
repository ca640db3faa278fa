using System.Globalization;
using NativeHeap.Analysis;
using NativeHeap.Trace;

namespace NativeHeap.Present.Exports;

/// <summary>What heap profiles count, in the order that pprof's readers expect.</summary>
internal static class SampleTypes
{
    /// <summary>Names and units.</summary>
    public static IReadOnlyList<(string Type, string Unit)> All { get; } =
        [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")];

    /// <summary>The values of a sample, one for each type.</summary>
    public static long[] Values(SampleUsage usage) =>
        [usage.Allocations, usage.AllocatedBytes, usage.LiveBlocks, usage.LiveBytes];

    /// <summary>What a thread is called: its id, and its name where it has one.</summary>
    public static string NameOf(ThreadRow thread)
    {
        var tid = thread.Tid.ToString(CultureInfo.InvariantCulture);
        return thread.Name is { } name ? $"{tid} {Words.Printable(name)}" : tid;
    }
}
