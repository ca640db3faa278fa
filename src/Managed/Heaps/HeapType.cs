using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>A type of objects on a heap, with how many there are.</summary>
public sealed class HeapType
{
    private readonly ClrType? _type;
    private readonly ulong _first;
    private string? _name;

    private const int BaseSizeOffset = 4; // in a method table (src/coreclr/vm/methodtable.h of dotnet/runtime)

    private HeapType(ulong methodTable, ulong first, ClrType? type, ReferenceMap references, int? baseSize)
    {
        _type = type;
        _first = first;
        MethodTable = methodTable;
        References = references;
        BaseSize = baseSize ?? type?.StaticSize ?? 0;
        ComponentSize = type?.ComponentSize ?? 0;
        IsFree = type?.IsFree ?? false;
    }

    /// <summary>The runtime's address of the type.</summary>
    public ulong MethodTable { get; }

    /// <summary>Bytes of an object, or of an array without elements.</summary>
    public int BaseSize { get; }

    /// <summary>Bytes of an element of an array or a string; 0 for others.</summary>
    public int ComponentSize { get; }

    /// <summary>No objects, but gaps between them.</summary>
    public bool IsFree { get; }

    /// <summary>Objects.</summary>
    public long Count { get; internal set; }

    /// <summary>Their bytes.</summary>
    public long Bytes { get; internal set; }

    /// <summary>Namespace, type and arguments, as ClrMD spells them.</summary>
    public string Name => _name ??= _type?.Name ?? $"method table 0x{MethodTable:x}";

    /// <summary>Whether its objects may hold addresses of native memory: texts and bytes do not.</summary>
    public bool MayHoldPointers => ComponentSize is 0 or >= 8;

    /// <summary>Whether its objects refer to others.</summary>
    public bool HasReferences => !ReferenceEquals(References, ReferenceMap.None);

    /// <summary>ClrMD's description; null when it has none.</summary>
    internal ClrType? Type => _type;

    /// <summary>Of an array: what it consists of, as ClrMD describes it; null when unknown. ClrMD knows it of arrays of
    /// which it was shown an object.</summary>
    internal ClrType? ElementType => _type?.ComponentType ?? _type?.Heap.GetObjectType(_first)?.ComponentType;

    internal ReferenceMap References { get; }

    /// <summary>Reads all there is to know of a type.</summary>
    /// <param name="heap">ClrMD's.</param>
    /// <param name="memory">The target's.</param>
    /// <param name="methodTable">The type's address.</param>
    /// <param name="first">The address of an object of it, in a copy that <paramref name="memory"/> reads from.</param>
    internal static HeapType Read(ClrHeap heap, IMemoryReader memory, ulong methodTable, ulong first)
    {
        var type = heap.Runtime.GetTypeByMethodTable(methodTable);
        var references = type is { ContainsPointers: true } ? ReferenceMap.Read(memory, methodTable) : ReferenceMap.None;
        // What the runtime tells of strings leaves out their terminator, which the method table itself counts.
        int? size = type is { IsString: true }
            ? memory.Read(methodTable + BaseSizeOffset, out int read) && read >= type.StaticSize ? read : type.StaticSize + sizeof(char)
            : null;
        return new HeapType(methodTable, first, type, references, size);
    }
}
