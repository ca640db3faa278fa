using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Memory.Proc;

/// <summary>
/// Which pages of a process exist (/proc/PID/pagemap): private memory that was never touched holds nothing, and reading
/// it would cost time and make page tables. For one thread.
/// </summary>
public sealed unsafe class PageMap : IDisposable
{
    /// <summary>Bytes of a page.</summary>
    public const ulong PageBytes = 4096;

    private const ulong PresentOrSwapped = 3UL << 62;
    private const ulong OfFile = 1UL << 61; // or shared (Documentation/admin-guide/mm/pagemap.rst)
    private const int PagesAtOnce = 16 * 1024;

    private readonly SafeFileHandle? _file;
    private readonly ulong[] _entries = new ulong[PagesAtOnce];

    /// <summary>The page map of a process.</summary>
    public PageMap(int pid)
    {
        _file = Libc.OpenForReading($"/proc/{pid}/pagemap", out _);
    }

    private PageMap()
    {
    }

    /// <summary>A page map in which every page exists, where nobody can tell.</summary>
    public static PageMap Everything() => new();

    /// <summary>The parts of a range that exist; all of it when that cannot be told.</summary>
    /// <param name="range">Of private memory; whole pages.</param>
    public IEnumerable<AddressRange> Present(AddressRange range) => Parts(range, 0);

    /// <summary>The parts of a range that the process, or the loader for it, has written; all of it when that cannot be
    /// told.</summary>
    /// <param name="range">Of private memory; whole pages.</param>
    public IEnumerable<AddressRange> Written(AddressRange range) => Parts(range, OfFile);

    /// <summary>Whether the kernel tells; else every page counts as one that exists.</summary>
    public bool CanRead => _file is not null;

    /// <summary>Reads what the kernel says of pages, a word each: see <see cref="IsResident"/> and
    /// <see cref="IsUntouched"/>.</summary>
    /// <param name="page">Number of the first.</param>
    /// <param name="words">For so many.</param>
    /// <returns>How many were read; 0 when that cannot be told.</returns>
    public int Read(ulong page, Span<ulong> words)
    {
        fixed (ulong* to = words)
        {
            var bytes = _file is null ? 0
                : Libc.ReadAt(_file, (byte*)to, (nuint)words.Length * sizeof(ulong), (long)page * sizeof(ulong));
            return bytes <= 0 ? 0 : (int)(bytes / sizeof(ulong));
        }
    }

    /// <summary>Whether a page is in memory.</summary>
    public static bool IsResident(ulong word) => (word & (1UL << 63)) != 0;

    /// <summary>Whether a page of private memory has never been touched, or was given back.</summary>
    public static bool IsUntouched(ulong word) => (word & PresentOrSwapped) == 0;

    private IEnumerable<AddressRange> Parts(AddressRange range, ulong without)
    {
        if (_file is null)
        {
            yield return range;
            yield break;
        }

        ulong start = 0, end = 0;
        for (var at = range.Start; at < range.End;)
        {
            var pages = (int)Math.Min(PagesAtOnce, (range.End - at + PageBytes - 1) / PageBytes);
            var known = Read(at / PageBytes, pages);
            if (known == 0)
            {
                (start, end) = end == at ? (start, range.End) : (at, range.End);
                break;
            }

            for (var i = 0; i < known; i++, at += PageBytes)
            {
                if ((_entries[i] & PresentOrSwapped) == 0 || (_entries[i] & without) != 0)
                {
                    continue;
                }

                if (end != at)
                {
                    if (end != start)
                    {
                        yield return new AddressRange(start, end);
                    }

                    start = at;
                }

                end = Math.Min(at + PageBytes, range.End);
            }
        }

        if (end != start)
        {
            yield return new AddressRange(start, end);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private int Read(ulong page, int count) => Read(page, _entries.AsSpan(0, count));
}
