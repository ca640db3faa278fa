using System.Globalization;
using NativeHeap.Managed.Heaps;
using NativeHeap.Model;
using NativeHeap.Symbols;

namespace NativeHeap.Graph.Objects;

/// <summary>An object or block as a list shows it.</summary>
/// <param name="Node">Its node in a graph of the picture.</param>
/// <param name="Address">Where it is.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Stack">The stack that allocated it; negative: unknown.</param>
public readonly record struct ObjectInstance(uint Node, ulong Address, long Bytes, int Stack);

/// <summary>What the objects and blocks of a picture are. For one thread.</summary>
public sealed class TypeStatistics : IDisposable
{
    /// <summary>Native blocks that nothing tells the type of.</summary>
    public const string Unknown = "(native block)";

    private const string ByMethodTable = "method table";
    private const string BySymbol = "vtable symbol";

    private static readonly TimeSpan DemanglerPatience = TimeSpan.FromSeconds(10);

    private readonly HeapPicture _picture;
    private readonly VirtualTables _tables;

    /// <param name="picture">Stays the caller's.</param>
    public TypeStatistics(HeapPicture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        _picture = picture;
        Modules = new ModuleMap(picture.Mappings, RootOf(picture));
        Demangler = new Demangler(SymbolTools.Find().Demangler, DemanglerPatience);
        _tables = new VirtualTables(Modules, Demangler);
    }

    /// <summary>The process's binaries.</summary>
    internal ModuleMap Modules { get; }

    /// <summary>Turns linkage names into those that people write.</summary>
    internal Demangler Demangler { get; }

    /// <summary>Counts objects and blocks, by type; in no order.</summary>
    /// <param name="condition">Only .NET objects of which this is true; null: everything.</param>
    public IReadOnlyList<TypeCount> Count(IObjectCondition? condition = null)
    {
        if (condition is not null)
        {
            return CountWhere(condition);
        }

        var managed = (_picture.Heap?.Types ?? []).Where(type => type is { IsFree: false, Count: > 0 })
            .GroupBy(type => type.Name, StringComparer.Ordinal)
            .Select(group => new TypeCount(
                group.Key, ObjectKind.Managed, ByMethodTable, group.Sum(type => type.Count), group.Sum(type => type.Bytes)));
        return [.. managed, .. CountBlocks()];
    }

    /// <summary>The type of a node; null for a native block of which nothing tells it.</summary>
    public string? TypeOf(HeapGraph graph, uint node)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return !graph.IsBlock(node, out var place) ? _picture.Heap!.TypeOf(node).Name
            : _tables.Of(_picture.Blocks[place], _picture.Memory) is { } found ? _tables.Spoken(found.Table)
            : null;
    }

    /// <summary>The objects of a type, managed ones first, by rising address.</summary>
    /// <param name="name">As <see cref="Count"/> names it.</param>
    /// <param name="condition">Only .NET objects of which this is true; null: all.</param>
    public IEnumerable<ObjectInstance> Instances(string name, IObjectCondition? condition = null)
    {
        if (_picture.Heap is { } heap && heap.Types.Any(type => type.Name == name))
        {
            foreach (var slot in heap.Objects())
            {
                if (heap.TypeOf(slot) is var type && type.Name == name && condition?.Holds(heap, slot) != false)
                {
                    yield return new ObjectInstance(slot, heap.Copy.AddressOf(slot), heap.SizeOf(slot, type), -1);
                }
            }
        }

        var first = _picture.Heap?.Copy.SlotCount ?? 0;
        for (var i = 0; i < _picture.Blocks.Count && condition is null; i++)
        {
            var block = _picture.Blocks[i];
            var isOne = BlockState.Of(block) != BlockState.Gone && (_tables.Of(block, _picture.Memory) is { } found
                ? _tables.Spoken(found.Table) == name
                : name == Unknown);
            if (isOne)
            {
                yield return new ObjectInstance(first + (uint)i, block.Address, (long)block.Bytes, block.Stack);
            }
        }
    }

    /// <summary>The native blocks that certain stacks allocated, by rising address.</summary>
    /// <param name="isOne">Whether a stack is one of them, by its number.</param>
    public IEnumerable<ObjectInstance> BlocksOf(Func<int, bool> isOne)
    {
        ArgumentNullException.ThrowIfNull(isOne);
        var first = _picture.Heap?.Copy.SlotCount ?? 0;
        for (var i = 0; i < _picture.Blocks.Count; i++)
        {
            var block = _picture.Blocks[i];
            if (BlockState.Of(block) != BlockState.Gone && isOne(block.Stack))
            {
                yield return new ObjectInstance(first + (uint)i, block.Address, (long)block.Bytes, block.Stack);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Modules.Dispose();

    private static string RootOf(HeapPicture picture) => picture.Pid is { } pid
        ? string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/root")
        : string.Empty;

    private List<TypeCount> CountWhere(IObjectCondition condition)
    {
        var sums = new Dictionary<string, (long Count, long Bytes)>(StringComparer.Ordinal);
        if (_picture.Heap is { } heap)
        {
            foreach (var slot in heap.Objects())
            {
                if (condition.Holds(heap, slot))
                {
                    var type = heap.TypeOf(slot);
                    var sum = sums.GetValueOrDefault(type.Name);
                    sums[type.Name] = (sum.Count + 1, sum.Bytes + heap.SizeOf(slot, type));
                }
            }
        }

        return [.. sums.Select(sum => new TypeCount(sum.Key, ObjectKind.Managed, ByMethodTable, sum.Value.Count, sum.Value.Bytes))];
    }

    private List<TypeCount> CountBlocks()
    {
        var sums = new Dictionary<string, (long Count, long Bytes)>(StringComparer.Ordinal);
        var (others, otherBytes) = (0L, 0L);
        for (var i = 0; i < _picture.Blocks.Count; i++)
        {
            ref var block = ref _picture.Blocks[i];
            if (BlockState.Of(block) == BlockState.Gone)
            {
                continue;
            }

            if (_tables.Of(block, _picture.Memory) is { } found)
            {
                var sum = sums.GetValueOrDefault(found.Table);
                sums[found.Table] = (sum.Count + found.Objects, sum.Bytes + (long)block.Bytes);
            }
            else
            {
                others++;
                otherBytes += (long)block.Bytes;
            }
        }

        _tables.Learn(sums.Keys);
        var counts = sums.GroupBy(sum => _tables.Spoken(sum.Key), StringComparer.Ordinal)
            .Select(group => new TypeCount(
                group.Key, ObjectKind.Cpp, BySymbol, group.Sum(sum => sum.Value.Count), group.Sum(sum => sum.Value.Bytes)))
            .ToList();
        if (others > 0)
        {
            counts.Add(new TypeCount(Unknown, ObjectKind.Unknown, "allocator", others, otherBytes));
        }

        return counts;
    }
}
