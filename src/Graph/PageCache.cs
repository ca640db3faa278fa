using NativeHeap.Memory;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Graph;

/// <summary>
/// Small reads of a process's memory, of which many are near each other or follow each other: pages are kept for a while,
/// and read ahead where somebody goes through memory. A page of which something cannot be read is not kept. For one thread.
/// </summary>
/// <param name="memory">Of a process that does not run.</param>
internal sealed unsafe class PageCache(IMemoryReader memory) : IMemoryReader, IDisposable
{
    private const int PageBits = 12;
    private const int PageBytes = 1 << PageBits;
    private const int Lines = 4096;
    private const int PagesAhead = 16;
    private const ulong None = ulong.MaxValue;

    private readonly byte* _pages = LargePages.Allocate((long)Lines * PageBytes);
    private readonly ulong[] _numbers = CreateNumbers();
    private ulong _lastMiss = None;

    /// <inheritdoc/>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var at = address + (ulong)done;
            var inPage = (int)(at & (PageBytes - 1));
            var count = Math.Min(PageBytes - inPage, destination.Length - done);
            var page = Page(at >> PageBits);
            if (page is null)
            {
                return done + memory.Read(at, destination[done..]);
            }

            new ReadOnlySpan<byte>(page + inPage, count).CopyTo(destination[done..]);
            done += count;
        }

        return done;
    }

    /// <inheritdoc/>
    public void Dispose() => LargePages.Free(_pages, (long)Lines * PageBytes);

    private static ulong[] CreateNumbers()
    {
        var numbers = new ulong[Lines];
        Array.Fill(numbers, None);
        return numbers;
    }

    // Null: it cannot be read as a whole.
    private byte* Page(ulong number)
    {
        var line = (int)(number % Lines);
        if (_numbers[line] == number)
        {
            return _pages + ((long)line * PageBytes);
        }

        var wanted = number == _lastMiss + 1 ? Math.Min(PagesAhead, Lines - line) : 1;
        var pages = memory.Read(number << PageBits, new Span<byte>(_pages + ((long)line * PageBytes), wanted * PageBytes)) / PageBytes;
        for (var i = 0; i < wanted; i++)
        {
            _numbers[line + i] = i < pages ? number + (ulong)i : None;
        }

        _lastMiss = number + (ulong)Math.Max(pages, 1) - 1;
        return pages > 0 ? _pages + ((long)line * PageBytes) : null;
    }
}
