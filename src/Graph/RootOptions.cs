using NativeHeap.Memory;

namespace NativeHeap.Graph;

/// <summary>What is known of a process that its memory does not tell.</summary>
public sealed record RootOptions
{
    /// <summary>Memory that is no part of the program: the profiler's own.</summary>
    public IReadOnlyList<AddressRange> Excluded { get; init; } = [];

    /// <summary>More memory that may hold pointers.</summary>
    public IReadOnlyList<AddressRange> Included { get; init; } = [];

    /// <summary>Addresses in blocks that count as held.</summary>
    public IReadOnlyList<ulong> Held { get; init; } = [];

    /// <summary>Whether dead objects of a garbage-collected heap are told from live ones; else the heap is to be excluded by
    /// whoever looks at it himself.</summary>
    public bool FindsLiveObjects { get; init; } = true;

    /// <summary>By thread: where its stack counts from, instead of where it is.</summary>
    public IReadOnlyDictionary<int, ulong> StackStarts { get; init; } = new Dictionary<int, ulong>();
}
