using NativeHeap.Memory;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>A process's page map, asked for addresses that rise. For one thread.</summary>
/// <param name="pages">Stays the caller's.</param>
internal sealed class PageWindow(PageMap pages)
{
    private const int WindowPages = 16 * 1024;
    private const ulong PageBytes = PageMap.PageBytes;

    private readonly ulong[] _words = new ulong[WindowPages];
    private ulong _first = ulong.MaxValue;
    private int _count;

    /// <summary>Reads ahead from here on no further than to the end of a range: many small ones lie far apart.</summary>
    public void Enter(AddressRange range) =>
        Fill(range.Start / PageBytes, (int)Math.Min(WindowPages, (range.Bytes + PageBytes - 1) / PageBytes));

    /// <summary>Whether the page of an address is in memory.</summary>
    public bool IsResident(ulong address) => PageMap.IsResident(At(address / PageBytes));

    /// <summary>Resident bytes of a range, and those that were never touched.</summary>
    public (long Here, long Never) Count(ulong address, ulong bytes)
    {
        long here = 0, never = 0;
        for (var (at, end) = (address, address + bytes); at < end;)
        {
            var next = Math.Min((at | (PageBytes - 1)) + 1, end);
            var word = At(at / PageBytes);
            here += PageMap.IsResident(word) ? (long)(next - at) : 0;
            never += PageMap.IsUntouched(word) ? (long)(next - at) : 0;
            at = next;
        }

        return (here, never);
    }

    private ulong At(ulong page)
    {
        if (page - _first >= (ulong)_count)
        {
            Fill(page, WindowPages);
        }

        return _words[page - _first];
    }

    private void Fill(ulong page, int count)
    {
        (_first, _count) = (page, count);
        _words.AsSpan(pages.Read(page, _words.AsSpan(0, count))).Clear();
    }
}
