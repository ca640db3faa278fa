using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Analysis;

/// <summary>Anonymous memory that programs have mapped themselves (run --mmap). Whole pages, whether they were ever touched or
/// not; exact also where the heap is sampled. Nothing of it is in the totals of the heap.</summary>
/// <param name="Mappings">Successful calls of mmap and mremap.</param>
/// <param name="MappedBytes">Their bytes.</param>
/// <param name="Unmappings">Those of which nothing was left at the end.</param>
/// <param name="UnmappedBytes">Bytes that were unmapped, also in part.</param>
/// <param name="ReservedBytes">Of the bytes mapped at the end, those that had been mapped without access (PROT_NONE).</param>
/// <param name="Peak">The highest of any of the processes by itself; null: none has mapped anything.</param>
/// <param name="Processes">How many have mapped anything.</param>
public sealed record MappedTotals(
    long Mappings,
    long MappedBytes,
    long Unmappings,
    long UnmappedBytes,
    long ReservedBytes,
    MappedPeakRow? Peak,
    int Processes)
{
    /// <summary>Mappings of which something was left at the end.</summary>
    public long LiveMappings => Mappings - Unmappings;

    /// <summary>Bytes mapped at the end.</summary>
    public long LiveBytes => MappedBytes - UnmappedBytes;

    /// <summary>Null where mappings were not recorded.</summary>
    /// <exception cref="OverflowException">No 64-bit number holds a sum.</exception>
    internal static MappedTotals? Of(TraceReader trace, ProcessSelection selection)
    {
        if (!trace.Info.RecordsMappings)
        {
            return null;
        }

        var locations = trace.Locations;
        var sum = new MappedTotals(0, 0, 0, 0, 0, null, 0);
        foreach (var row in trace.MappedTotals().Where(row => selection.Contains(row.Process)))
        {
            var entry = locations[trace.Stacks.Location(row.Stack)];
            var isReserved = entry is { Kind: FrameKind.Entry, Offset: (ulong)EntryPoint.MmapNone };
            checked
            {
                sum = sum with
                {
                    Mappings = sum.Mappings + row.Mappings,
                    MappedBytes = sum.MappedBytes + row.MappedBytes,
                    Unmappings = sum.Unmappings + row.Unmappings,
                    UnmappedBytes = sum.UnmappedBytes + row.UnmappedBytes,
                    ReservedBytes = sum.ReservedBytes + (isReserved ? row.MappedBytes - row.UnmappedBytes : 0),
                };
            }
        }

        foreach (var peak in trace.MappedPeaks().Where(row => selection.Contains(row.Process)))
        {
            sum = sum with
            {
                Peak = sum.Peak is { } highest && highest.Bytes >= peak.Bytes ? highest : peak,
                Processes = sum.Processes + 1,
            };
        }

        return sum;
    }
}
