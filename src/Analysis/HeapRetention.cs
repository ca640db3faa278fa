using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Memory that a program has freed and malloc keeps resident.</summary>
internal static class HeapRetention
{
    // Beside what was asked for, a chunk of the GNU C library has a header of 8 bytes, is a multiple of 16 and not smaller
    // than 32 (malloc/malloc.c): less than 32 in all. Pages without a live byte of theirs are what is left.
    private const long MostOverhead = 32;

    private const long MostUnknownOverhead = 16; // a rest that is too small for a chunk of its own

    private const long SlackNs = 100_000_000;

    /// <summary>
    /// At least how many resident bytes of the malloc heap hold nothing that is alive: all of it, less what was alive about
    /// the time of the look, as if every byte of that were resident.
    /// </summary>
    /// <param name="trace">The trace.</param>
    /// <param name="process">The process image that was looked at.</param>
    /// <param name="ledger">The look.</param>
    /// <returns>Bytes, not negative; null when the ledger or the recording does not say.</returns>
    public static long? AtLeast(TraceReader trace, ProcessId process, Ledger ledger)
    {
        var heap = ledger.Parts.Where(part => LedgerParts.IsNativeHeap(part.Name)).Sum(part => part.Bytes);
        if (!trace.Info.Exact || !ledger.Parts.Any(part => part.Name is LedgerParts.Malloc or LedgerParts.Kept))
        {
            return null;
        }

        // About the time of the look the most that may have been alive counts: it takes a while, and the clock of the events
        // is a coarse one. A bucket tells how many bytes were alive at most, and of blocks how many were made.
        var width = trace.Info.BucketNs ?? 0;
        var (bytes, blocks, made) = (0L, 0L, 0L);
        foreach (var row in trace.Timeline().Where(row => row.Process == process).TakeWhile(row => row.TimeNs <= ledger.TimeNs + SlackNs))
        {
            var isBefore = row.TimeNs < ledger.TimeNs - SlackNs - width;
            var most = Math.Max(row.LiveBytes, row.LivePeakBytes);
            (bytes, blocks) = isBefore
                ? (row.LiveBytes, row.LiveBlocks)
                : (Math.Max(bytes, most), Math.Max(blocks + row.Allocations - made, row.LiveBlocks));
            made = row.Allocations;
        }

        // A look that tells them apart says it itself, but for what an aligned block has more than malloc's rules give it.
        if (ledger.Parts.FirstOrDefault(part => part.Name == LedgerParts.Kept) is { } kept)
        {
            return Math.Max(0, kept.Bytes - checked(blocks * MostUnknownOverhead));
        }

        return Math.Max(0, heap - checked(bytes + (blocks * MostOverhead)));
    }
}
