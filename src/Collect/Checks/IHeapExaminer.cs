using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Collect.Checks;

/// <summary>A process that stands still, and its heap.</summary>
/// <param name="Process">Its row.</param>
/// <param name="Held">The process.</param>
/// <param name="Blocks">Its live blocks.</param>
/// <param name="OwnMemory">Memory of the shim in it.</param>
/// <param name="StackStarts">By thread: where its stack counts from, instead of where it is.</param>
/// <param name="Ignored">Addresses of blocks that the program wants no leaks to be made of.</param>
/// <param name="RootRegions">Memory that the program has named as holding pointers.</param>
public sealed record HeldHeap(
    ProcessId Process,
    IHeldProcess Held,
    HeapBlocks Blocks,
    IReadOnlyList<AddressRange> OwnMemory,
    IReadOnlyDictionary<int, ulong> StackStarts,
    IReadOnlyList<ulong> Ignored,
    IReadOnlyList<AddressRange> RootRegions)
{
    /// <summary>CLOCK_MONOTONIC when the process went on because its memory had been copied; null: it stands still.</summary>
    public ulong? WentOnNs { get; init; }
}

/// <summary>Finds out what holds the blocks of a heap. For one thread.</summary>
public interface IHeapExaminer
{
    /// <summary>Looks at a held process.</summary>
    /// <param name="heap">The process; it may go on when this returns.</param>
    /// <param name="cancellation">Ends it when it takes too long.</param>
    /// <returns>Puts what was found into the form in which the trace keeps it; the process is needed no more.</returns>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    Func<byte[]> Examine(HeldHeap heap, CancellationToken cancellation);

    /// <summary>Says of blocks no more than that they were not freed.</summary>
    /// <param name="blocks">The live blocks.</param>
    /// <param name="isLeaked">Whether that makes them leaks; else it is unknown what holds them.</param>
    /// <param name="note">Why nothing more is known; null: nobody asked for more.</param>
    byte[] NotFreed(HeapBlocks blocks, bool isLeaked, string? note);
}
