using NativeHeap.Managed;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Graph;

/// <summary>What of a .NET process's garbage-collected heap may hold blocks: its live objects. Where they cannot be told
/// from dead ones, all of it may.</summary>
internal sealed record ManagedRoots
{
    private const int MostStackWords = 1 << 22;

    /// <summary>Memory of the heap.</summary>
    public IReadOnlyList<AddressRange> Heap { get; private init; } = [];

    /// <summary>Live objects.</summary>
    public IReadOnlyList<AddressRange> Objects { get; private init; } = [];

    /// <summary>Remarks for a person.</summary>
    public IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>Finds them; nothing where there is no .NET.</summary>
    /// <param name="held">The process.</param>
    /// <param name="without">Memory that is dead.</param>
    /// <param name="stacks">Its stacks.</param>
    /// <param name="registers">Words of registers.</param>
    /// <param name="cancellation">Ends it when it takes too long.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static ManagedRoots Find(
        IHeldProcess held, RangeSet without, DeadStacks stacks, IEnumerable<ulong> registers, CancellationToken cancellation)
    {
        if (!LiveObjects.HasRuntime(held.Mappings))
        {
            return new ManagedRoots();
        }

        var words = new HashSet<ulong>(registers);
        foreach (var range in stacks.InUse().SelectMany(without.Rest))
        {
            AddWords(held.Memory, range, words);
        }

        var tables = held.Mappings
            .Where(mapping => mapping is { IsReadable: true, IsWritable: true, IsShared: false, Path: "" })
            .SelectMany(mapping => without.Rest(new AddressRange(mapping.Start, mapping.End)));
        return LiveObjects.TryFind(held, words, tables, cancellation, out var problem) is { } live
            ? new ManagedRoots { Heap = live.Heap, Objects = live.Objects, Notes = live.Note is { } note ? [note] : [] }
            : new ManagedRoots
            {
                Notes = [$"all memory of the garbage-collected heap counts as holding blocks, dead objects too: {problem}"],
            };
    }

    private static void AddWords(IMemoryReader memory, AddressRange range, HashSet<ulong> words)
    {
        var buffer = new ulong[Math.Min(range.Bytes / sizeof(ulong), MostStackWords)];
        var count = memory.ReadWords((range.Start + 7) & ~7UL, buffer);
        words.UnionWith(buffer.AsSpan(0, count).ToArray());
    }
}
