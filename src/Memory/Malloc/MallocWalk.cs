using System.Runtime.CompilerServices;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Memory.Malloc;

/// <summary>Goes from chunk to chunk through a segment of an arena. For one thread.</summary>
public sealed class MallocWalk
{
    private const int BufferWords = 512;
    private const ulong LargeChunk = 1024; // from here on each header is read for itself

    private readonly IMemoryReader _memory;
    private readonly ulong[] _buffer = new ulong[BufferWords];
    private readonly AddressRange _segment;
    private readonly ulong _top;
    private ulong _bufferStart;
    private int _bufferCount;
    private ulong _next;

    internal MallocWalk(IMemoryReader memory, AddressRange segment, ulong top)
    {
        _memory = memory;
        _segment = segment;
        _top = top;
        _next = (segment.Start + 15) & ~15UL;
    }

    /// <summary>Where the next chunk begins, if there is one.</summary>
    public ulong Position => _next;

    /// <summary>Whether the walk came to the segment's end, and not to a size that cannot be.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Whether the walk came to where somebody else had moved the break: malloc puts two chunks of 16 bytes, in use,
    /// at the end of its own memory (sysmalloc of glibc).</summary>
    public bool IsAtForeignBreak { get; private set; }

    /// <summary>The next chunk; the free one at the end of the arena (the top) is the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, and long
    public bool TryNext(out MallocChunk chunk)
    {
        chunk = default;
        var address = _next;
        if (address + MallocLayout.HeaderBytes > _segment.End)
        {
            IsComplete |= address <= _segment.End;
            return false;
        }

        if (!TryReadSize(address, out var word))
        {
            return false;
        }

        var bytes = word & MallocLayout.SizeMask;
        if (address == _top)
        {
            _next = _segment.End;
            chunk = new MallocChunk(address, _segment.End - address, false);
            return true;
        }

        // A heap that another one follows ends in two chunks of 16 bytes that are no memory.
        if (bytes is 0 or MallocLayout.HeaderBytes && _segment.End - address <= 2 * MallocLayout.HeaderBytes)
        {
            IsComplete = true;
            return false;
        }

        IsAtForeignBreak = bytes == MallocLayout.HeaderBytes && TryReadSize(address + bytes, out var second)
            && second == (MallocLayout.HeaderBytes | MallocLayout.PreviousInUse);
        if (bytes < MallocLayout.SmallestChunk || bytes % 16 != 0 || bytes > _segment.End - address
            || !TryReadSize(address + bytes, out var following))
        {
            return false;
        }

        _next = address + bytes;
        chunk = new MallocChunk(address, bytes, (following & MallocLayout.PreviousInUse) != 0);
        return true;
    }

    private bool TryReadSize(ulong chunk, out ulong size)
    {
        var address = chunk + 8;
        var index = (address - _bufferStart) / sizeof(ulong);
        if (address < _bufferStart || index >= (ulong)_bufferCount)
        {
            var most = address - _bufferStart >= LargeChunk ? 1UL : BufferWords;
            _bufferStart = address;
            _bufferCount = _memory.ReadWords(
                address, _buffer.AsSpan(0, (int)Math.Min(most, ((_segment.End - Math.Min(address, _segment.End)) / 8) + 1)));
            index = 0;
            if (_bufferCount == 0)
            {
                size = 0;
                return false;
            }
        }

        size = _buffer[index];
        return true;
    }
}
