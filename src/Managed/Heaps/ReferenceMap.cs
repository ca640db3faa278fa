using System.Buffers.Binary;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>
/// Where an object of a type has references: the GC's own description, which stands before the method table (CGCDesc of
/// gcdesc.h in the runtime's sources).
/// </summary>
internal sealed class ReferenceMap
{
    private const int MostSeries = 1 << 16;

    /// <summary>A type without references.</summary>
    public static readonly ReferenceMap None = new([], 0, []);

    private ReferenceMap((int Offset, long SizeLess)[] series, int elementsOffset, (uint References, uint Skip)[] element)
    {
        Series = series;
        ElementsOffset = elementsOffset;
        Element = element;
    }

    /// <summary>Runs of references: offset in the object, and what to add to the object's size for the run's bytes.</summary>
    public (int Offset, long SizeLess)[] Series { get; }

    /// <summary>Offset of the first element of an array of structs.</summary>
    public int ElementsOffset { get; }

    /// <summary>What repeats in an array of structs: so many references, then so many bytes that are none.</summary>
    public (uint References, uint Skip)[] Element { get; }

    /// <summary>Reads it; what cannot be is taken for <see cref="None"/>.</summary>
    public static ReferenceMap Read(IMemoryReader memory, ulong methodTable)
    {
        if (!memory.Read(methodTable - 8, out long count) || count == 0 || Math.Abs(count) > MostSeries)
        {
            return None;
        }
        return count > 0 ? ReadSeries(memory, methodTable, (int)count) : ReadElement(memory, methodTable, (int)-count);
    }

    private static ReferenceMap ReadSeries(IMemoryReader memory, ulong methodTable, int count)
    {
        const int entry = 16; // bytes less the object's, offset
        var bytes = new byte[count * entry];
        if (memory.Read(methodTable - 8 - (ulong)bytes.Length, bytes) != bytes.Length)
        {
            return None;
        }
        var series = new (int, long)[count];
        for (var i = 0; i < count; i++)
        {
            var at = bytes.AsSpan(i * entry);
            series[i] = ((int)BinaryPrimitives.ReadInt64LittleEndian(at[8..]), BinaryPrimitives.ReadInt64LittleEndian(at));
        }
        return new ReferenceMap(series, 0, []);
    }

    private static ReferenceMap ReadElement(IMemoryReader memory, ulong methodTable, int count)
    {
        // [items, the last one first …][offset][count]
        var bytes = new byte[(count * 8) + 8];
        if (memory.Read(methodTable - 8 - (ulong)bytes.Length, bytes) != bytes.Length)
        {
            return None;
        }
        var items = new (uint, uint)[count];
        for (var i = 0; i < count; i++)
        {
            var at = bytes.AsSpan((count - 1 - i) * 8);
            items[i] = (BinaryPrimitives.ReadUInt32LittleEndian(at), BinaryPrimitives.ReadUInt32LittleEndian(at[4..]));
        }
        var offset = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(count * 8));
        return new ReferenceMap([], (int)offset, items);
    }
}
