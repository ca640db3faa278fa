using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Malloc;

/// <summary>
/// The arenas of the GNU C library's malloc in a process that does not run. The main arena is found without symbols: an
/// empty bin is a word of the library's data that holds its own address less 16. Everything read is checked and bounded.
/// </summary>
public sealed class MallocHeap
{
    private const int MostArenas = 8192;
    private const int MostHeaps = 1 << 16;
    private const int MostDataBytes = 16 << 20;

    private readonly IMemoryReader _memory;
    private readonly IReadOnlyList<MemoryMapping> _mappings;
    private readonly List<MallocArena> _arenas = [];

    private MallocHeap(IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings)
    {
        _memory = memory;
        _mappings = mappings;
    }

    /// <summary>The arenas, the main one first; empty when the process has not used this malloc.</summary>
    public IReadOnlyList<MallocArena> Arenas => _arenas;

    /// <summary>Reads the arenas.</summary>
    /// <param name="memory">Of a process that does not run.</param>
    /// <param name="mappings">Its mappings.</param>
    public static MallocHeap Read(IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(mappings);
        var heap = new MallocHeap(memory, mappings);
        heap.Find();
        return heap;
    }

    /// <summary>A walk over the chunks of a segment, in the order of their addresses. It may end early, where memory is
    /// damaged, of another layout, or where the program itself has taken memory by sbrk: <see cref="MallocWalk.IsComplete"/>.
    /// It can be taken up again at a later chunk.</summary>
    public MallocWalk Walk(MallocArena arena, AddressRange segment)
    {
        ArgumentNullException.ThrowIfNull(arena);
        return new MallocWalk(_memory, segment, arena.Top);
    }

    private void Find()
    {
        var states = new HashSet<ulong>();
        foreach (var data in _mappings.Where(IsLibraryData))
        {
            if (FindMain(data) is not { } state)
            {
                continue;
            }

            // A circular list through all arenas.
            for (var at = state; states.Count < MostArenas && states.Add(at);)
            {
                if (ReadState(at) is not { } words)
                {
                    break;
                }

                Add(at, at == state, words);
                at = words[MallocLayout.Next];
            }
        }
    }

    // The writable part of libc.so.6 (or libc-2.31.so), or of a program that has the library in itself.
    private bool IsLibraryData(MemoryMapping mapping)
    {
        if (!mapping.IsReadable || !mapping.IsWritable || mapping.IsShared || mapping.Path.Length == 0)
        {
            return false;
        }

        var name = Path.GetFileName(mapping.Path.Replace(" (deleted)", "", StringComparison.Ordinal));
        return name.StartsWith("libc.so", StringComparison.Ordinal) || name.StartsWith("libc-2", StringComparison.Ordinal);
    }

    private ulong? FindMain(MemoryMapping data)
    {
        var words = new ulong[Math.Min(data.Size, MostDataBytes) / sizeof(ulong)];
        var count = _memory.ReadWords(data.Start, words);
        for (var i = 0; i + 1 < count; i++)
        {
            var address = data.Start + ((ulong)i * sizeof(ulong));
            if (words[i] != address - 16 || words[i + 1] != address - 16)
            {
                continue;
            }

            // Bin by bin: which one this is, is not known, but the last ones are mostly empty.
            for (var bin = MallocLayout.BinCount - 1; bin >= 0; bin--)
            {
                var first = i - MallocLayout.Bins - (2 * bin);
                if (first >= 0 && first + MallocLayout.StateWords <= count
                    && IsMain(words.AsSpan(first, MallocLayout.StateWords), data.Start + ((ulong)first * sizeof(ulong))))
                {
                    return data.Start + ((ulong)first * sizeof(ulong));
                }
            }
        }

        return null;
    }

    private bool IsMain(ReadOnlySpan<ulong> state, ulong address)
    {
        for (var bin = 0; bin < MallocLayout.BinCount; bin++)
        {
            var at = MallocLayout.Bins + (2 * bin);
            var own = address + (ulong)((at - 2) * sizeof(ulong));
            var isEmpty = state[at] == own && state[at + 1] == own;
            if (!isEmpty && (MappingOf(state[at]) is null || MappingOf(state[at + 1]) is null || state[at] % 16 != 0))
            {
                return false;
            }
        }

        var top = state[MallocLayout.Top];
        var isUsed = state[MallocLayout.SystemBytes] is > 0 and < 1UL << 47;
        return isUsed && top % 16 == 0 && MappingOf(top) is not null && MappingOf(state[MallocLayout.Next]) is not null;
    }

    private ulong[]? ReadState(ulong address)
    {
        var words = new ulong[MallocLayout.StateWords];
        return address % 8 == 0 && _memory.ReadWords(address, words) == words.Length ? words : null;
    }

    private void Add(ulong state, bool isMain, ulong[] words)
    {
        var top = words[MallocLayout.Top];
        if (MappingOf(top) is not { } mapping)
        {
            return;
        }

        var segments = new List<AddressRange>();
        var mapped = new List<AddressRange>();
        if (isMain)
        {
            AddMain(mapping, top, segments, mapped);
        }
        else
        {
            AddHeaps(state, top, segments, mapped);
        }

        if (segments.Count > 0)
        {
            _arenas.Add(new MallocArena(
                state, isMain, segments, mapped, top, words[MallocLayout.FastBins..(MallocLayout.FastBins + MallocLayout.FastBinCount)]));
        }
    }

    // What sbrk gave, up to the end of the top chunk. Where another allocator of addresses (or a failing sbrk) broke it
    // up, only the last piece is known.
    private void AddMain(MemoryMapping last, ulong top, List<AddressRange> segments, List<AddressRange> mapped)
    {
        var start = last.Start;
        foreach (var mapping in _mappings)
        {
            if (mapping.Path == "[heap]" && mapping.Start < start && last.Path == "[heap]")
            {
                start = mapping.Start;
            }
        }

        if (!_memory.TryReadWord(top + 8, out var size))
        {
            return;
        }

        var end = Math.Min(top + (size & MallocLayout.SizeMask), last.End);
        segments.Add(new AddressRange(start, end));
        mapped.Add(new AddressRange(start, end)); // what the program itself takes by sbrk is its own
    }

    private void AddHeaps(ulong state, ulong top, List<AddressRange> segments, List<AddressRange> mapped)
    {
        var first = state & ~(MallocLayout.HeapAlignment - 1);
        var header = state - first; // struct _heap_info, aligned; the state follows it in the first heap
        var heap = top & ~(MallocLayout.HeapAlignment - 1);
        Span<ulong> info = stackalloc ulong[3];
        for (var i = 0; i < MostHeaps && heap != 0; i++)
        {
            if (_memory.ReadWords(heap, info) != 3 || info[0] != state || info[2] > MallocLayout.HeapAlignment)
            {
                break;
            }

            var offset = heap == first ? header + MallocArena.StateBytes : header;
            segments.Add(new AddressRange(heap + ((offset + 15) & ~15UL), heap + info[2]));
            mapped.Add(new AddressRange(heap, heap + info[2]));
            heap = info[1];
        }

        segments.Reverse();
        mapped.Reverse();
    }

    private MemoryMapping? MappingOf(ulong address) =>
        _mappings.Of(address) is { IsReadable: true, IsWritable: true } mapping ? mapping : null;
}
