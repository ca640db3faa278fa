using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory;
using IMemoryReader = NativeHeap.Memory.Holding.IMemoryReader;

namespace NativeHeap.Managed;

/// <summary>What a handle does to its object (HandleType in gcinterface.h of dotnet/runtime); other kinds keep it alive, too.
/// </summary>
internal enum TableHandleKind : byte
{
    WeakShort = 0,
    WeakLong = 1,
    Strong = 2,
    Pinned = 3,
    Dependent = 6,
    AsyncPinned = 7,
}

/// <summary>A handle of the runtime.</summary>
/// <param name="Location">Its address.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Target">The object, or nothing that is one.</param>
/// <param name="Dependent">What a dependent handle keeps alive as long as <paramref name="Target"/> lives; else 0.</param>
internal readonly record struct TableHandle(ulong Location, TableHandleKind Kind, ulong Target, ulong Dependent)
{
    /// <summary>Whether it keeps its object alive.</summary>
    public bool IsStrong => Kind is not (TableHandleKind.WeakShort or TableHandleKind.WeakLong or TableHandleKind.Dependent);
}

/// <summary>
/// The runtime's tables of handles, read from memory. The server collector has one for each processor, and ClrMD is shown
/// those of as many processors as there are heaps just now (DacHandleWalker in dotnet/runtime), fewer where the number of
/// heaps adapts itself: the others are found by their shape.
/// </summary>
/// <remarks>
/// A segment (TableSegment in handletablepriv.h of dotnet/runtime) is 64 KiB at a multiple of it: a page that says among other
/// things what kind each block of 64 handles is of, and which block has the second words of a block of dependent handles, then
/// the handles. That the kinds stand where they are looked for is checked by the handles that ClrMD knows.
/// </remarks>
internal sealed class HandleTables
{
    /// <summary>Says that tables could not be read.</summary>
    public const string Unknown =
        "the server collector's handles could not all be read: what only they hold may be called lost";

    /// <summary>Bytes of a segment, and its alignment.</summary>
    public const int SegmentBytes = 1 << 16;

    private const int HeaderBytes = 1 << 12;
    private const int HandlesPerBlock = 64;
    private const int Blocks = (SegmentBytes - HeaderBytes) / sizeof(ulong) / HandlesPerBlock;

    // Four bytes of ages for each block, then the next block of its kind (a ring), then a bit for each handle that is free.
    private const int NextBlocks = Blocks * 4;
    private const int FreeMasks = NextBlocks + Blocks;
    private const int BlockKinds = FreeMasks + (Blocks * sizeof(ulong));
    private const int SecondBlocks = BlockKinds + Blocks;

    private const byte Most = 12, Unused = 0xFF; // 11, and from .NET 10 on 12, are blocks of second words

    private static readonly SearchValues<byte> s_kinds = SearchValues.Create([.. Enumerable.Range(0, Most + 1).Select(kind => (byte)kind), Unused]);

    private readonly IMemoryReader _memory;

    /// <param name="memory">The process's.</param>
    /// <param name="known">Handles that ClrMD knows.</param>
    public HandleTables(IMemoryReader memory, IReadOnlyCollection<ClrHandle> known)
    {
        _memory = memory;
        AreKnown = known.Count > 0 && known.All(handle => KindAt(handle.Address) is { } kind && handle.HandleKind switch
        {
            ClrHandleKind.WeakShort => kind == TableHandleKind.WeakShort,
            ClrHandleKind.WeakLong => kind == TableHandleKind.WeakLong,
            ClrHandleKind.Strong => kind == TableHandleKind.Strong,
            ClrHandleKind.Pinned => kind == TableHandleKind.Pinned,
            ClrHandleKind.Dependent => kind == TableHandleKind.Dependent,
            _ => true,
        });
    }

    /// <summary>Whether segments can be read. What other tables than ClrMD's refer to is not known otherwise.</summary>
    public bool AreKnown { get; }

    /// <summary>The handles of the segments in a range.</summary>
    /// <param name="range">Writable memory of no file, with any number of segments and anything else; pages that were never
    /// touched need not be in it.</param>
    public IEnumerable<TableHandle> In(AddressRange range)
    {
        var segment = new byte[SegmentBytes];
        for (var start = (range.Start + SegmentBytes - 1) & ~(SegmentBytes - 1UL); start < range.End; start += SegmentBytes)
        {
            var wanted = (int)Math.Min(SegmentBytes, range.End - start);
            if (!AreKnown || wanted <= HeaderBytes || _memory.Read(start, segment.AsSpan(0, HeaderBytes)) < HeaderBytes
                || segment.AsSpan(BlockKinds, Blocks).ContainsAnyExcept(s_kinds))
            {
                continue;
            }

            var count = _memory.Read(start + HeaderBytes, segment.AsSpan(HeaderBytes, wanted - HeaderBytes));
            segment.AsSpan(HeaderBytes + count).Clear();
            if (!IsSegment(segment))
            {
                continue;
            }

            for (var block = 0; block < Blocks; block++)
            {
                for (var i = 0; IsOfHandles(segment, block) && i < HandlesPerBlock; i++)
                {
                    if (Word(segment, block, i) is not 0 and var target)
                    {
                        yield return new TableHandle(start + (ulong)Place(block, i), (TableHandleKind)segment[BlockKinds + block], target, Second(segment, block, i));
                    }
                }
            }
        }
    }

    // Memory that only looks like one by its kinds (stacks, other heaps) has neither rings of blocks of one kind, nor nothing
    // wherever a handle is free.
    private static bool IsSegment(byte[] segment)
    {
        for (var block = 0; block < Blocks; block++)
        {
            var (kind, next) = (segment[BlockKinds + block], segment[NextBlocks + block]);
            if (kind != Unused && (next >= Blocks || segment[BlockKinds + next] != kind))
            {
                return false;
            }

            var free = BinaryPrimitives.ReadUInt64LittleEndian(segment.AsSpan(FreeMasks + (block * sizeof(ulong))));
            for (var i = 0; free != 0 && IsOfHandles(segment, block) && i < HandlesPerBlock; i++)
            {
                if ((free >> i & 1) != 0 && Word(segment, block, i) != 0)
                {
                    return false;
                }
            }
        }

        return true;
    }

    // Blocks of second words are those that others name as theirs.
    private static bool IsOfHandles(byte[] segment, int block) =>
        segment[BlockKinds + block] != Unused && !segment.AsSpan(SecondBlocks, Blocks).Contains((byte)block);

    private static ulong Second(byte[] segment, int block, int index) =>
        segment[BlockKinds + block] == (byte)TableHandleKind.Dependent && segment[SecondBlocks + block] is var second and < Blocks
            ? Word(segment, second, index)
            : 0;

    private static int Place(int block, int index) => HeaderBytes + (((block * HandlesPerBlock) + index) * sizeof(ulong));

    private static ulong Word(byte[] segment, int block, int index) =>
        BinaryPrimitives.ReadUInt64LittleEndian(segment.AsSpan(Place(block, index)));

    private TableHandleKind? KindAt(ulong handle)
    {
        var start = handle & ~(SegmentBytes - 1UL);
        var index = (int)(handle - start - HeaderBytes) / sizeof(ulong);
        Span<byte> kind = stackalloc byte[1];
        return index >= 0 && _memory.Read(start + BlockKinds + (ulong)(index / HandlesPerBlock), kind) == 1 ? (TableHandleKind)kind[0] : null;
    }
}
