using System.Buffers.Binary;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>Reads primitive fields as numbers.</summary>
internal static class FieldNumber
{
    /// <summary>The bytes of an object of a type that is known, its method table included; of a very large one the first
    /// 2 GB.</summary>
    public static ReadOnlySpan<byte> BytesOf(this ManagedHeap heap, uint slot, HeapType type) =>
        heap.Copy.BytesAt(slot, (int)Math.Min(heap.SizeOf(slot, type), int.MaxValue));

    /// <summary>What a field of an object holds: a number, 0 or 1 of a bool, the address of a reference; null when it is
    /// nothing of the sort.</summary>
    public static double? NumberIn(this ClrInstanceField field, ReadOnlySpan<byte> item)
    {
        var at = field.Offset + sizeof(ulong);
        if (field.Offset < 0 || at + Math.Max(field.Size, 1) > item.Length)
        {
            return null;
        }

        var bytes = item[at..];
        if (field.IsObjectReference)
        {
            return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        }

        return field.ElementType switch
        {
            ClrElementType.Boolean or ClrElementType.UInt8 => bytes[0],
            ClrElementType.Int8 => (sbyte)bytes[0],
            ClrElementType.Char or ClrElementType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            ClrElementType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
            ClrElementType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            ClrElementType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            ClrElementType.Int64 or ClrElementType.NativeInt => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            ClrElementType.UInt64 or ClrElementType.NativeUInt or ClrElementType.Pointer or ClrElementType.FunctionPointer =>
                BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            ClrElementType.Float => BinaryPrimitives.ReadSingleLittleEndian(bytes),
            ClrElementType.Double => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            _ => null,
        };
    }
}
