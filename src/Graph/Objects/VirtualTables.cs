using System.Runtime.InteropServices;
using NativeHeap.Memory.Holding;
using NativeHeap.Model;
using NativeHeap.Symbols;

namespace NativeHeap.Graph.Objects;

/// <summary>
/// The C++ classes of native blocks: a block whose first word points into a virtual table, at the place of the complete
/// object, is an object of the class that the table's symbol names (Itanium C++ ABI, 2.5). A block of several, with or
/// without a count before them, has that word again and again. Nothing is guessed: no symbol, no class. For one thread.
/// </summary>
internal sealed class VirtualTables(ModuleMap modules, Demangler demangler)
{
    private const string TablePrefix = "_ZTV";
    private const string SpokenPrefix = "vtable for ";
    private const int OffsetToTop = -16; // before the address that objects point to; 0 for the complete object
    private const int MostInBlock = 1 << 24;

    private readonly Dictionary<ulong, string?> _known = [];
    private readonly ulong _low = modules.Low;
    private readonly ulong _high = modules.High;

    /// <summary>An object's class, by the linkage name of its table, and how many objects are in the block.</summary>
    internal readonly record struct Found(string Table, int Objects);

    /// <summary>What a block would be an object of: where its table is, and how many objects are in the block.</summary>
    internal readonly record struct Candidate(ulong Table, int Objects);

    /// <summary>Of a block; null when it is no object, or no symbol says of what.</summary>
    public Found? Of(in HeapBlock block, IMemoryReader memory) =>
        CandidateOf(block, memory, _low, _high) is { } candidate && TableAt(candidate.Table) is { } table
            ? new Found(table, candidate.Objects)
            : null;

    /// <summary>What a block may be, by the process's memory alone; null: no object.</summary>
    /// <param name="block">The block.</param>
    /// <param name="memory">Of the process.</param>
    /// <param name="low">The lowest address of a binary.</param>
    /// <param name="high">One past the highest.</param>
    public static Candidate? CandidateOf(in HeapBlock block, IMemoryReader memory, ulong low, ulong high)
    {
        Span<ulong> words = stackalloc ulong[2];
        var count = block.Bytes < 8 ? 0 : memory.ReadWords(block.Address, words[..(block.Bytes < 16 ? 1 : 2)]);
        if (count > 0 && MayBeTable(words[0], low, high))
        {
            return new Candidate(words[0], 1);
        }

        // new T[n] of a class with a destructor notes n before the first (2.7); nothing but that many objects follows.
        return count == 2 && words[0] is > 0 and < MostInBlock && MayBeTable(words[1], low, high)
            && IsArray(block, memory, words[0], words[1])
            ? new Candidate(words[1], (int)words[0])
            : null;
    }

    /// <summary>The linkage name of the table that objects point to by an address; null: there is none.</summary>
    public string? TableAt(ulong word)
    {
        if (!_known.TryGetValue(word, out var table))
        {
            table = Read(word);
            _known.Add(word, table);
        }

        return table;
    }

    /// <summary>The class in the words of its author.</summary>
    public string Spoken(string table)
    {
        demangler.Learn([table], CancellationToken.None);
        var name = demangler[table];
        return name.StartsWith(SpokenPrefix, StringComparison.Ordinal) ? name[SpokenPrefix.Length..] : name;
    }

    /// <summary>Learns many at once.</summary>
    public void Learn(IEnumerable<string> tables) => demangler.Learn(tables, CancellationToken.None);

    private static bool MayBeTable(ulong word, ulong low, ulong high) => word % sizeof(ulong) == 0 && word - low < high - low;

    private string? Read(ulong word)
    {
        if (modules.Find(word) is not { } module || module.Data(word) is not { } symbol
            || !symbol.Name.StartsWith(TablePrefix, StringComparison.Ordinal) || word - module.Bias < symbol.Address + 16)
        {
            return null;
        }

        long offset = -1;
        var got = module.Read(unchecked(word + (ulong)OffsetToTop), MemoryMarshal.AsBytes(new Span<long>(ref offset)));
        return got == sizeof(long) && offset == 0 ? symbol.Name : null;
    }

    // All at one distance from each other, as many as there are to be, the last one within the block.
    private static bool IsArray(in HeapBlock block, IMemoryReader memory, ulong objects, ulong table)
    {
        if (objects == 1)
        {
            return true;
        }

        var most = (block.Bytes - 8) / objects / sizeof(ulong) * sizeof(ulong);
        for (ulong stride = 8; stride <= most; stride += 8)
        {
            if (HasTable(memory, block.Address + 8 + stride, table))
            {
                for (ulong i = 2; i < objects; i++)
                {
                    if (!HasTable(memory, block.Address + 8 + (i * stride), table))
                    {
                        return false;
                    }
                }

                return true;
            }
        }

        return false;
    }

    private static bool HasTable(IMemoryReader memory, ulong address, ulong table) =>
        memory.TryReadWord(address, out var word) && word == table;
}
