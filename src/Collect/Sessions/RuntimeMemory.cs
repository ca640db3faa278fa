using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Memory.Runtimes;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>What of a process's anonymous memory is the heap of a language's runtime that manages it by itself, told by the
/// headers in it. The process may run meanwhile.</summary>
/// <param name="PythonObjects">Resident bytes that CPython's allocator has given out.</param>
/// <param name="PythonKept">The rest of its pools: free, or the tails of blocks and headers.</param>
/// <param name="JavaScript">Resident bytes of V8's pages.</param>
internal sealed record RuntimeMemory(long PythonObjects, long PythonKept, long JavaScript)
{
    private const int MostHeaders = 1 << 20;

    /// <summary>Looks for it. Reads pages that are resident alone.</summary>
    public static RuntimeMemory Of(IMemoryReader memory, ResidentMemory resident, PageMap pages)
    {
        var window = new PageWindow(pages);
        var headers = 0;
        long objects = 0, pools = 0, script = 0;
        Span<byte> header = stackalloc byte[V8Page.HeaderBytes];
        foreach (var (range, bytes, isGcHeap) in resident.Anonymous)
        {
            if (bytes == 0 || isGcHeap)
            {
                continue;
            }

            window.Enter(range);
            var step = resident.HasPython ? PythonPool.LeastBytes : V8Page.Alignment;
            for (var at = (range.Start + step - 1) / step * step; at < range.End && headers < MostHeaders;)
            {
                var next = at + step;
                if (window.IsResident(at) && headers++ < MostHeaders && memory.Read(at, header) == header.Length)
                {
                    if (resident.HasPython && PythonPool.Read(header, at) is { } pool)
                    {
                        var here = window.Count(at, pool.Bytes).Here;
                        pools += here;
                        objects += Math.Min((long)pool.LiveBytes, here);
                        next = at + pool.Bytes;
                    }
                    else if (V8Page.Read(header, at) is var page and > 0)
                    {
                        script += window.Count(at, page).Here;
                        next = at + ((page + step - 1) / step * step);
                    }
                }

                at = next;
            }
        }

        return new RuntimeMemory(objects, pools - objects, script);
    }

    /// <summary>Parts of a look with these taken out of the anonymous memory that is nothing else.</summary>
    public IEnumerable<LedgerPart> Divide(IReadOnlyList<LedgerPart> parts)
    {
        var left = parts.Where(part => part.Name == LedgerParts.Anonymous).Sum(part => part.Bytes);
        var found = new List<LedgerPart>();
        Take(LedgerParts.PythonObjects, PythonObjects);
        Take(LedgerParts.PythonKept, PythonKept);
        Take(LedgerParts.JavaScript, JavaScript);
        return [.. parts.Select(part => part.Name == LedgerParts.Anonymous ? part with { Bytes = left } : part), .. found];

        void Take(string name, long bytes)
        {
            bytes = Math.Clamp(bytes, 0, Math.Max(0, left)); // the process runs on while it is looked at
            left -= bytes;
            if (bytes > 0)
            {
                found.Add(new LedgerPart(name, bytes));
            }
        }
    }
}
