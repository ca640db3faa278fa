using NativeHeap.Memory;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Graph;

/// <summary>
/// A target's memory, copied piece by piece when it is first looked at, and kept: blocks are visited in no order, and one
/// system call for each would cost more than everything else. What cannot be read is 0. Safe from several threads.
/// </summary>
public sealed unsafe class TargetCopy : IMemoryReader, IDisposable
{
    /// <summary>Bytes of a piece.</summary>
    public const int PieceBytes = 1 << PieceBits;

    private const int PieceBits = 20;
    private const int LeafBits = 30;
    private const int LeafPieces = 1 << (LeafBits - PieceBits);
    private const int SlabBytes = 8 << 20; // pieces are cut from these, which have large pages
    private const ulong MostAddresses = 1UL << 47;

    private IMemoryReader? _memory;
    private readonly byte*[]?[] _leaves = new byte*[]?[1 << (47 - LeafBits)];
    private readonly List<nint> _slabs = [];
    private readonly Stack<nint> _free = new();
    private readonly object _gate = new();

    /// <summary>A copy of nothing yet.</summary>
    /// <param name="memory">Of a process that does not run.</param>
    public TargetCopy(IMemoryReader memory) => _memory = memory;

    /// <summary>Copies a range by several threads at once.</summary>
    public void Load(AddressRange range)
    {
        if (range.Bytes > PieceBytes)
        {
            var first = (long)(range.Start >> PieceBits);
            Parallel.For(first, (long)((range.End - 1) >> PieceBits) + 1, number => Piece((ulong)number));
        }
    }

    /// <summary>The target runs again, or is gone: what was not copied so far is 0 from now on.</summary>
    public void Close() => _memory = null;

    /// <summary>Where a byte of the target is here, and how many follow it in this piece.</summary>
    /// <param name="address">Below 2^47.</param>
    /// <param name="bytes">Bytes from there to the end of the piece.</param>
    /// <returns>Valid to the end.</returns>
    public byte* At(ulong address, out int bytes)
    {
        var piece = Known(address);
        bytes = PieceBytes - (int)(address & (PieceBytes - 1));
        return piece is not null ? piece : Piece(address >> PieceBits) + (address & (PieceBytes - 1));
    }

    /// <summary>The same, but null for what was not copied.</summary>
    public byte* Known(ulong address)
    {
        var leaf = Volatile.Read(ref _leaves[address >> LeafBits]);
        if (leaf is null)
        {
            return null;
        }

        var piece = leaf[(address >> PieceBits) & (LeafPieces - 1)];
        return piece is null ? null : piece + (address & (PieceBytes - 1));
    }

    /// <inheritdoc/>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length && address + (ulong)done < MostAddresses)
        {
            var from = At(address + (ulong)done, out var bytes);
            var count = Math.Min(bytes, destination.Length - done);
            new ReadOnlySpan<byte>(from, count).CopyTo(destination[done..]);
            done += count;
        }

        return done;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var slab in _slabs)
        {
            LargePages.Free((byte*)slab, SlabBytes);
        }

        _slabs.Clear();
    }

    // Whoever comes second with the same piece throws its own away.
    private byte* Piece(ulong number)
    {
        var piece = TakeFree();
        Fill(number << PieceBits, piece);
        lock (_gate)
        {
            ref var leaf = ref _leaves[number >> (LeafBits - PieceBits)];
            if (leaf is null)
            {
                Volatile.Write(ref leaf, new byte*[LeafPieces]);
            }

            ref var place = ref leaf[number & (LeafPieces - 1)];
            if (place is not null)
            {
                _free.Push((nint)piece);
                return place;
            }

            Thread.MemoryBarrier();
            place = piece;
            return piece;
        }
    }

    private byte* TakeFree()
    {
        lock (_gate)
        {
            if (_free.Count == 0)
            {
                var slab = LargePages.Allocate(SlabBytes);
                _slabs.Add((nint)slab);
                for (var at = SlabBytes - PieceBytes; at >= 0; at -= PieceBytes)
                {
                    _free.Push((nint)(slab + at));
                }
            }

            return (byte*)_free.Pop();
        }
    }

    private void Fill(ulong address, byte* piece)
    {
        var to = new Span<byte>(piece, PieceBytes);
        if (_memory is { } memory)
        {
            memory.ReadOrZero(address, to);
        }
        else
        {
            to.Clear();
        }
    }
}
