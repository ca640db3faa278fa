using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NativeHeap.Memory;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>A pointer that lies in a block and points to or into another one.</summary>
/// <param name="Target">The other block's place.</param>
/// <param name="Offset">Bytes behind its start; 0: to the start.</param>
/// <param name="Location">Where the pointer lies; not known of one to a start, and 0 then.</param>
internal readonly record struct HeapPointer(int Target, ulong Offset, ulong Location);

/// <summary>
/// The pointers between blocks, as lists in slabs of unmanaged memory: of a pointer to a start one number is kept, the
/// place of its target. Where a block's list begins stands in its <see cref="HeapBlock.Link"/>. Written by several threads,
/// each by a <see cref="Writer"/> of its own; then read by several.
/// </summary>
internal sealed unsafe class PointerGraph : IDisposable
{
    private const int SlabBits = 16;
    private const int SlabWords = 1 << SlabBits;
    private const int SlabBytes = SlabWords * sizeof(uint);
    private const int MostSlabs = 1 << 16;
    private const int InteriorWords = 1 + (2 * sizeof(ulong) / sizeof(uint));
    private const uint IsLast = 1U << 31;
    private const uint IsInterior = 1U << 30;
    private const uint PlaceMask = IsInterior - 1;

    private readonly uint** _slabs = (uint**)NativeMemory.AllocZeroed(MostSlabs, (nuint)sizeof(uint*));
    private readonly int[] _next = new int[MostSlabs]; // where a writer went on
    private readonly int[] _used = new int[MostSlabs];
    private readonly Lock _gate = new();
    private int _count = 1; // the first list does not begin at 0, which means none

    /// <summary>Most blocks there may be.</summary>
    public const int MostBlocks = (int)PlaceMask;

    /// <summary>The pointers of a block.</summary>
    public Reader Of(in HeapBlock block) => new(this, (uint)block.Link);

    /// <summary>Starts to load the beginning of a block's list.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(in HeapBlock block)
    {
        if (block.Link != 0 && Sse.IsSupported)
        {
            Sse.Prefetch0(_slabs[(uint)block.Link >> SlabBits] + ((uint)block.Link & (SlabWords - 1)));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (var i = 1; i < _count; i++)
        {
            LargePages.Free((byte*)_slabs[i], SlabBytes);
        }

        NativeMemory.Free(_slabs);
    }

    private int TakeSlab()
    {
        lock (_gate)
        {
            if (_count == MostSlabs)
            {
                throw new InsufficientMemoryException("too many pointers between its blocks");
            }

            _slabs[_count] = (uint*)LargePages.Allocate(SlabBytes);
            return _count++;
        }
    }

    /// <summary>Reads a list.</summary>
    public struct Reader
    {
        private readonly PointerGraph _graph;
        private int _slab;
        private int _at;

        internal Reader(PointerGraph graph, uint start)
        {
            _graph = graph;
            _slab = (int)(start >> SlabBits);
            _at = (int)(start & (SlabWords - 1));
        }

        /// <summary>The next pointer; false: there is none.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool TryNext(out HeapPointer pointer)
        {
            pointer = default;
            if (_slab == 0)
            {
                return false;
            }

            if (_at == _graph._used[_slab])
            {
                (_slab, _at) = (_graph._next[_slab], 0);
            }

            var words = _graph._slabs[_slab] + _at;
            var slabIsLast = (words[0] & IsLast) != 0;
            var target = (int)(words[0] & PlaceMask);
            if ((words[0] & IsInterior) == 0)
            {
                pointer = new HeapPointer(target, 0, 0);
                _at++;
            }
            else
            {
                pointer = new HeapPointer(target, Unsafe.ReadUnaligned<ulong>(words + 1), Unsafe.ReadUnaligned<ulong>(words + 3));
                _at += InteriorWords;
            }

            _slab = slabIsLast ? 0 : _slab;
            return true;
        }
    }

    /// <summary>Adds lists, block after block. For one thread.</summary>
    public sealed class Writer(PointerGraph graph, HeapBlocks blocks)
    {
        private int _slab;
        private int _at = SlabWords;
        private int _source = -1;
        private uint* _last;

        /// <summary>Adds a pointer to a list.</summary>
        /// <param name="source">The block's place; a block's pointers follow each other.</param>
        /// <param name="pointer">The pointer.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(int source, in HeapPointer pointer)
        {
            var words = Room(source, pointer.Offset == 0 ? 1 : InteriorWords);
            words[0] = (uint)pointer.Target | IsLast;
            if (pointer.Offset != 0)
            {
                words[0] |= IsInterior;
                Unsafe.WriteUnaligned(words + 1, pointer.Offset);
                Unsafe.WriteUnaligned(words + 3, pointer.Location);
            }
        }

        /// <summary>Nothing more is added.</summary>
        public void Close() => graph._used[_slab] = _at;

        private uint* Room(int source, int count)
        {
            if (_at + count > SlabWords)
            {
                var next = graph.TakeSlab();
                (graph._next[_slab], graph._used[_slab]) = (next, _at);
                (_slab, _at) = (next, 0);
            }

            if (source == _source)
            {
                *_last &= ~IsLast;
            }
            else
            {
                _source = source;
                blocks[source].Link = (int)(((uint)_slab << SlabBits) | (uint)_at);
            }

            _last = graph._slabs[_slab] + _at;
            _at += count;
            return _last;
        }
    }
}
