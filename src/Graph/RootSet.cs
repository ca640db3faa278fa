using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>
/// Where a program's own pointers may be: the registers of its threads and all memory that can be written or was, but for
/// free memory of the allocator, blocks (they are looked at when something points to them), dead stacks and our own.
/// </summary>
internal sealed class RootSet
{
    private const ulong SmallRange = 256 * 1024;
    private const ulong LargestHidden = 1UL << 30; // what is inaccessible and larger is a reservation of addresses

    /// <summary>Memory to scan.</summary>
    public List<AddressRange> Ranges { get; } = [];

    /// <summary>Values that count as found in a root.</summary>
    public List<ulong> Words { get; } = [];

    /// <summary>Remarks for a person.</summary>
    public IReadOnlyList<string> Notes { get; private set; } = [];

    /// <summary>Finds the roots.</summary>
    /// <param name="held">The process.</param>
    /// <param name="geometry">What malloc says of its memory.</param>
    /// <param name="blocks">By rising address.</param>
    /// <param name="index">Of the blocks.</param>
    /// <param name="options">What else is known.</param>
    /// <param name="cancellation">Ends it when it takes too long.</param>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static RootSet Find(
        IHeldProcess held,
        HeapGeometry geometry,
        HeapBlocks blocks,
        BlockIndex index,
        RootOptions options,
        CancellationToken cancellation)
    {
        var roots = new RootSet();
        var stacks = new DeadStacks(held, options.StackStarts);
        foreach (var thread in held.Threads)
        {
            var isLeaving = options.StackStarts.ContainsKey(thread.Tid);
            roots.AddThread(held.Memory, thread, stacks.StackPointer(thread), isLeaving, blocks, index);
        }

        var without = new RangeSet();
        geometry.Arenas.ForEach(without.Exclude);
        foreach (var range in stacks.Find(address => index.Find(address) != BlockIndex.None).Concat(options.Excluded))
        {
            without.Exclude(range);
        }

        foreach (var thread in stacks.EndedThreads)
        {
            roots.AddVector(held.Memory, thread);
        }

        var managed = options.FindsLiveObjects
            ? ManagedRoots.Find(held, without, stacks, roots.Words, cancellation)
            : new ManagedRoots();
        foreach (var range in managed.Heap)
        {
            without.Exclude(range);
        }

        roots.Notes = managed.Notes;
        roots.Ranges.AddRange(managed.Objects);
        roots.AddMappings(held, without, blocks);
        roots.Ranges.AddRange(geometry.Unseen);
        roots.Ranges.AddRange(options.Included);
        roots.Words.AddRange(options.Held.Select(index.Find).Where(block => block != BlockIndex.None)
            .Select(block => blocks[block].Address));
        return roots;
    }

    // A thread that has called a function to end the process has left-overs in all registers that calls do not preserve.
    private void AddThread(
        IMemoryReader memory, HeldThread thread, ulong stack, bool isLeaving, HeapBlocks blocks, BlockIndex index)
    {
        if (thread.Registers is not { } registers)
        {
            return;
        }

        var words = registers.Words.Span;
        Words.AddRange(isLeaving ? words[..Math.Min(words.Length, ThreadRegisters.PreservedWords)] : words);

        // A coroutine runs in a block.
        if (index.Find(stack) is var block && block != BlockIndex.None)
        {
            Words.Add(blocks[block].Address);
        }

        AddVector(memory, registers.ThreadPointer);
    }

    // The C library has a pointer to the second entry of a thread's vector of thread-local memory (dtv).
    private void AddVector(IMemoryReader memory, ulong thread)
    {
        if (thread != 0 && memory.TryReadWord(thread + 8, out var vector))
        {
            Words.Add(vector - 16);
        }
    }

    private void AddMappings(IHeldProcess held, RangeSet without, HeapBlocks blocks)
    {
        using var pages = held.OpenPages();
        var next = 0;
        foreach (var mapping in held.Mappings.Where(IsRoot))
        {
            foreach (var range in without.Rest(new AddressRange(mapping.Start, mapping.End)))
            {
                var touched = !mapping.IsWritable ? pages.Written(range)
                    : mapping.IsShared || range.Bytes <= SmallRange ? [range]
                    : pages.Present(range);
                foreach (var part in touched)
                {
                    AddBetweenBlocks(part, blocks, ref next);
                }
            }
        }
    }

    private static bool IsRoot(MemoryMapping mapping) =>
        mapping is { IsReadable: true, IsWritable: true } ? !IsForeign(mapping.Path) : MayHide(mapping);

    private static bool IsForeign(string path) => path.StartsWith("/memfd:nativeheap", StringComparison.Ordinal)
        || (path.StartsWith("/dev/", StringComparison.Ordinal)
            && !path.StartsWith("/dev/shm/", StringComparison.Ordinal)
            && !path.StartsWith("/dev/zero", StringComparison.Ordinal));

    // Pages that were filled and then protected, by the loader (RELRO) or the program.
    private static bool MayHide(MemoryMapping mapping) =>
        mapping is { IsWritable: false, IsExecutable: false, IsShared: false }
        && (mapping.IsReadable || (mapping.Path.Length == 0 && mapping.Size <= LargestHidden));

    // Blocks outside of arenas (large ones, and those of other allocators) are not roots either.
    private void AddBetweenBlocks(AddressRange range, HeapBlocks blocks, ref int next)
    {
        while (next < blocks.Count && blocks[next].Address + blocks[next].Bytes <= range.Start)
        {
            next++;
        }

        var at = range.Start;
        for (; next < blocks.Count && blocks[next].Address < range.End; next++)
        {
            var (start, end) = (blocks[next].Address, blocks[next].Address + blocks[next].Bytes);
            if (start > at)
            {
                Ranges.Add(new AddressRange(at, start));
            }

            at = Math.Max(at, end);
            if (end > range.End)
            {
                break; // it goes on in the next range
            }
        }

        if (at < range.End)
        {
            Ranges.Add(new AddressRange(at, range.End));
        }
    }
}
