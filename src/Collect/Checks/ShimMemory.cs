using System.Buffers.Binary;
using NativeHeap.Memory;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Checks;

/// <summary>
/// Lists that the shim keeps behind its data, each after a mark that occurs nowhere else: what it has mapped for itself,
/// which holds copies of stack words and would hide leaks; and what the program has named as roots.
/// </summary>
public static class ShimMemory
{
    private const int MostOwn = 16;
    private const int MostRoots = 256;
    private const int MostDataBytes = 8 << 20;

    /// <summary>What of a target's memory is the shim's.</summary>
    public static IReadOnlyList<AddressRange> Find(IHeldProcess held)
    {
        ArgumentNullException.ThrowIfNull(held);
        return
        [
            .. Data(held.Mappings).Select(mapping => new AddressRange(mapping.Start, mapping.End)),
            .. List(held, "NHEAPOWN"u8, MostOwn),
        ];
    }

    /// <summary>Memory that the program has named as holding pointers, as far as it can be read.</summary>
    public static IReadOnlyList<AddressRange> RootRegions(IHeldProcess held)
    {
        ArgumentNullException.ThrowIfNull(held);
        var found = new List<AddressRange>();
        foreach (var named in List(held, "NHEAPROT"u8, MostRoots))
        {
            found.AddRange(held.Mappings
                .Where(mapping => mapping.IsReadable && mapping.Start < named.End && named.Start < mapping.End)
                .Select(mapping => new AddressRange(
                    Math.Max(mapping.Start, named.Start), Math.Min(mapping.End, named.End))));
        }

        return found;
    }

    /// <summary>What the shim keeps behind a mark.</summary>
    /// <param name="memory">The process's, or a copy's.</param>
    /// <param name="mappings">Of the same.</param>
    /// <param name="mark">Of eight bytes.</param>
    /// <param name="least">Bytes that there must be, the mark's included.</param>
    /// <returns>From the mark to the end of the mapping it is in; of each shim that is loaded.</returns>
    public static IEnumerable<ReadOnlyMemory<byte>> Marked(
        IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings, byte[] mark, int least)
    {
        ArgumentNullException.ThrowIfNull(memory);
        foreach (var mapping in Data(mappings))
        {
            var data = new byte[Math.Min(mapping.Size, MostDataBytes)];
            var bytes = data.AsMemory(0, memory.Read(mapping.Start, data));
            var at = bytes.Span.IndexOf(mark);
            if (at >= 0 && bytes.Length - at >= least)
            {
                yield return bytes[at..];
            }
        }
    }

    private static IEnumerable<MemoryMapping> Data(IReadOnlyList<MemoryMapping> mappings) => mappings.Where(
        mapping => mapping.IsWritable && mapping.Path.Contains("/libnativeheap.so", StringComparison.Ordinal));

    // After the mark: how many there are, then first address and bytes of each; no bytes: none.
    private static List<AddressRange> List(IHeldProcess held, ReadOnlySpan<byte> mark, int most)
    {
        var found = new List<AddressRange>();
        foreach (var bytes in Marked(held.Memory, held.Mappings, mark.ToArray(), 16 + (16 * most)))
        {
            var list = bytes.Span[8..];
            var count = Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(list), (ulong)most);
            for (var i = 0; i < (int)count; i++)
            {
                var start = BinaryPrimitives.ReadUInt64LittleEndian(list[(8 + (16 * i))..]);
                var size = BinaryPrimitives.ReadUInt64LittleEndian(list[(16 + (16 * i))..]);
                if (start + size > start)
                {
                    found.Add(new AddressRange(start, start + size));
                }
            }
        }

        return found;
    }
}
