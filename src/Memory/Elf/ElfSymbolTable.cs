using System.Buffers.Binary;

namespace NativeHeap.Memory.Elf;

/// <summary>A symbol of a function or of data.</summary>
/// <param name="Name">As in the file, mangled.</param>
/// <param name="Address">First ELF virtual address.</param>
/// <param name="Size">Bytes, never 0.</param>
public readonly record struct ElfSymbol(string Name, ulong Address, ulong Size);

/// <summary>
/// The sized functions (or data) of a file, sorted for look-up by address. A symbol without a size covers nothing: it would
/// lend its name to whatever comes after it. Memory is 32 bytes a symbol; names stay in the file. Safe from several
/// threads if the file is; not usable after the file was disposed.
/// </summary>
public sealed class ElfSymbolTable
{
    private const int EntryBytes = 24;
    private const int EntriesAtOnce = 4096;
    private const int MostStepsBack = 256; // nested or overlapping symbols are few; a file may claim any number

    private readonly ElfFile _file;
    private readonly ulong _strings;
    private readonly ulong _stringBytes;
    private readonly Entry[] _entries;
    private readonly ulong[] _ends; // the furthest end of any entry up to here
    private Hit? _last;

    private ElfSymbolTable(ElfFile file, ElfSection strings, Entry[] entries)
    {
        _file = file;
        _strings = strings.Offset;
        _stringBytes = strings.Bytes;
        _entries = entries;
        _ends = new ulong[entries.Length];
        ulong end = 0;
        for (var i = 0; i < entries.Length; i++)
        {
            end = Math.Max(end, entries[i].End);
            _ends[i] = end;
        }
    }

    /// <summary>Number of them.</summary>
    public int Count => _entries.Length;

    /// <summary>The innermost one that covers <paramref name="address"/>; null when none does. Of several names
    /// for one the global one with the fewest leading underscores is given, then the shortest.</summary>
    /// <param name="address">ELF virtual address.</param>
    public ElfSymbol? Find(ulong address)
    {
        var index = LastNotAfter(address);

        // Look-ups come in rising order as a rule; what did not cover a lower address does not cover this one.
        if (_last is { } last && last.Index == index && address >= last.Address
            && address - last.Symbol.Address < last.Symbol.Size)
        {
            return last.Symbol;
        }

        var from = index;
        for (var steps = 0; index >= 0 && steps < MostStepsBack && _ends[index] > address; index--, steps++)
        {
            if (_entries[index].End > address && BestName(index, address) is { } symbol)
            {
                _last = new Hit(from, address, symbol);
                return symbol;
            }
        }

        return null;
    }

    internal static ElfSymbolTable Read(ElfFile file, bool data = false)
    {
        foreach (var kind in (ReadOnlySpan<uint>)[ElfSection.SymbolTable, ElfSection.DynamicSymbols])
        {
            // A file has one table of a kind; one that is not in this file (debug information alone) is NOBITS.
            var section = file.Sections.FirstOrDefault(section => section.Kind == kind);
            if (section.Kind == kind && section.Link < (uint)file.Sections.Count
                && ReadEntries(file, section, data) is { Length: > 0 } entries)
            {
                Array.Sort(entries);
                return new ElfSymbolTable(file, file.Sections[(int)section.Link], entries);
            }
        }

        return new ElfSymbolTable(file, default, []);
    }

    private static Entry[] ReadEntries(ElfFile file, ElfSection section, bool data)
    {
        var entries = new List<Entry>();
        var total = Math.Min(section.Bytes / EntryBytes, ElfLimits.Symbols);
        var buffer = new byte[EntryBytes * EntriesAtOnce];
        for (ulong done = 0; done < total; done += EntriesAtOnce)
        {
            var wanted = (int)Math.Min(EntriesAtOnce, total - done) * EntryBytes;
            var count = file.ReadAt(section.Offset + (done * EntryBytes), buffer.AsSpan(0, wanted));
            for (var at = 0; at + EntryBytes <= count; at += EntryBytes)
            {
                if (Entry.TryParse(buffer.AsSpan(at, EntryBytes), data, out var entry))
                {
                    entries.Add(entry);
                }
            }

            if (count < wanted)
            {
                break;
            }
        }

        return [.. entries];
    }

    private static int LeadingUnderscores(string name) => name.Length - name.AsSpan().TrimStart('_').Length;

    private int LastNotAfter(ulong address)
    {
        var low = 0;
        var high = _entries.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_entries[middle].Start <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    private ElfSymbol? BestName(int last, ulong address)
    {
        ElfSymbol? best = null;
        var bestKey = (0, 0, 0);
        var start = _entries[last].Start;
        for (var i = last; i >= 0 && last - i < MostStepsBack && _entries[i].Start == start; i--)
        {
            var entry = _entries[i];
            if (entry.End <= address || entry.Name >= _stringBytes
                || _file.ReadString(_strings + entry.Name, ElfLimits.NameBytes) is not { Length: > 0 } name)
            {
                continue;
            }

            var key = ((int)entry.Rank, LeadingUnderscores(name), name.Length);
            var order = best is null ? -1 : key.CompareTo(bestKey);
            if (order < 0 || (order == 0 && string.CompareOrdinal(name, best!.Value.Name) < 0))
            {
                best = new ElfSymbol(name, start, entry.End - start);
                bestKey = key;
            }
        }

        return best;
    }

    private sealed record Hit(int Index, ulong Address, ElfSymbol Symbol);

    private readonly record struct Entry(ulong Start, ulong End, uint Name, byte Rank) : IComparable<Entry>
    {
        public int CompareTo(Entry other)
        {
            var order = Start.CompareTo(other.Start);
            return order != 0 ? order : other.End.CompareTo(End); // the innermost comes last
        }

        internal static bool TryParse(ReadOnlySpan<byte> bytes, bool data, out Entry entry)
        {
            var kind = bytes[4] & 0xf;
            var binding = bytes[4] >> 4;
            var section = BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]);
            var start = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
            var size = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
            var isWanted = data ? kind == 1 : kind is 2 or 10; // STT_OBJECT; STT_FUNC, STT_GNU_IFUNC
            var rank = binding switch
            {
                1 => 0, // STB_GLOBAL
                2 => 1, // STB_WEAK
                _ => 2,
            };
            var name = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            entry = new Entry(start, unchecked(start + size), name, (byte)rank);
            return isWanted && section != 0 && size != 0 && entry.End > start;
        }
    }
}
