using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory;
using IMemoryReader = NativeHeap.Memory.Holding.IMemoryReader;

namespace NativeHeap.Managed;

/// <summary>
/// The runtime's tables of handles, read from memory. The server collector has one for each processor, and ClrMD is shown
/// those of as many processors as there are heaps just now (DacHandleWalker in dotnet/runtime), fewer where the number of
/// heaps adapts itself: the others are found by their shape.
/// </summary>
/// <remarks>
/// A segment (TableSegment in handletablepriv.h of dotnet/runtime) is 64 KiB at a multiple of it: a page that says among other
/// things what kind each block of 64 handles is of, then the handles. That the kinds stand where they are looked for is
/// checked by the handles that ClrMD knows.
/// </remarks>
internal sealed class HandleTables
{
    /// <summary>Bytes of a segment, and its alignment.</summary>
    public const int SegmentBytes = 1 << 16;

    private const int HeaderBytes = 1 << 12;
    private const int HandlesPerBlock = 64;
    private const int Blocks = (SegmentBytes - HeaderBytes) / sizeof(ulong) / HandlesPerBlock;

    // Behind four bytes of ages, one of allocation, and eight of free masks for each block.
    private const int BlockKinds = Blocks * (4 + 1 + 8);

    private const byte WeakShort = 0, WeakLong = 1, Dependent = 6, Most = 11, Unused = 0xFF;

    private static readonly SearchValues<byte> s_kinds = SearchValues.Create([.. Enumerable.Range(0, Most + 1).Select(kind => (byte)kind), Unused]);

    private readonly IMemoryReader _memory;

    /// <param name="memory">The process's.</param>
    /// <param name="known">Handles that ClrMD knows.</param>
    public HandleTables(IMemoryReader memory, IReadOnlyCollection<ClrHandle> known)
    {
        _memory = memory;
        AreKnown = known.Count > 0 && known.All(handle => KindAt(handle.Address) is { } kind && handle.HandleKind switch
        {
            ClrHandleKind.WeakShort => kind == WeakShort,
            ClrHandleKind.WeakLong => kind == WeakLong,
            ClrHandleKind.Strong => kind == 2,
            ClrHandleKind.Pinned => kind == 3,
            ClrHandleKind.Dependent => kind == Dependent,
            _ => true,
        });
    }

    /// <summary>Whether segments can be read. What other tables than ClrMD's refer to is not known otherwise.</summary>
    public bool AreKnown { get; }

    /// <summary>What the handles of segments refer to and keep alive, so not those of weak and dependent ones.</summary>
    /// <param name="range">Writable memory of no file, with any number of segments and anything else.</param>
    /// <returns>Addresses, of objects or of nothing.</returns>
    public IEnumerable<ulong> StrongIn(AddressRange range)
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
            for (var at = 0; at + sizeof(ulong) <= count; at += sizeof(ulong))
            {
                if (segment[BlockKinds + (at / sizeof(ulong) / HandlesPerBlock)] is not (WeakShort or WeakLong or Dependent or Unused))
                {
                    yield return BinaryPrimitives.ReadUInt64LittleEndian(segment.AsSpan(HeaderBytes + at));
                }
            }
        }
    }

    private byte? KindAt(ulong handle)
    {
        var start = handle & ~(SegmentBytes - 1UL);
        var index = (int)(handle - start - HeaderBytes) / sizeof(ulong);
        Span<byte> kind = stackalloc byte[1];
        return index >= 0 && _memory.Read(start + BlockKinds + (ulong)(index / HandlesPerBlock), kind) == 1 ? kind[0] : null;
    }
}
