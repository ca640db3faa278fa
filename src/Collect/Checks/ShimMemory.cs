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
            .. Data(held).Select(mapping => new AddressRange(mapping.Start, mapping.End)),
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

    private static IEnumerable<MemoryMapping> Data(IHeldProcess held) => held.Mappings.Where(
        mapping => mapping.IsWritable && mapping.Path.Contains("/libnativeheap.so", StringComparison.Ordinal));

    // After the mark: how many there are, then first address and bytes of each; no bytes: none.
    private static List<AddressRange> List(IHeldProcess held, ReadOnlySpan<byte> mark, int most)
    {
        var found = new List<AddressRange>();
        foreach (var mapping in Data(held))
        {
            var data = new byte[Math.Min(mapping.Size, MostDataBytes)];
            var bytes = data.AsSpan(0, held.Memory.Read(mapping.Start, data));
            var at = bytes.IndexOf(mark);
            if (at < 0 || bytes.Length - at < 16 + (16 * most))
            {
                continue;
            }

            var list = bytes[(at + 8)..];
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
