using System.Runtime.CompilerServices;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>A live block in 24 bytes.</summary>
internal struct LiveBlock
{
    /// <summary>Largest size that can be kept; no allocator hands out more.</summary>
    public const ulong MaxBytes = (1UL << 47) - 1;

    private const int ThreadBits = 16;
    private const int SmallBits = 36;
    private const ulong Large = 1UL << 63;

    /// <summary>Address; 0 marks an empty place.</summary>
    public ulong Address;

    /// <summary>What <see cref="Pack"/> made: from below, 16 bits with the thread's index; 36 bits with the size of a
    /// block below 64 GiB and 11 with its luck; or, with the highest bit set, 47 bits with the size of a larger one.</summary>
    public ulong BytesAndThread;

    /// <summary>Index of the stack in its process's totals.</summary>
    public int Stack;

    /// <summary>Milliseconds since the trace's start.</summary>
    public uint BirthMs;

    /// <summary>A block at its birth.</summary>
    /// <inheritdoc cref="Pack"/>
    public LiveBlock(ulong address, ulong bytes, uint luck, uint birthMs, int stack = 0, int thread = 0)
    {
        Address = address;
        BytesAndThread = Pack(bytes, thread, luck);
        Stack = stack;
        BirthMs = birthMs;
    }

    /// <summary>Whether a pool of the program's own gave it: it lies in another block or a mapping.</summary>
    public readonly bool IsPools => (Address & WireConstants.PoolBlockBit) != 0;

    public readonly long Bytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (long)((BytesAndThread & ((long)BytesAndThread < 0 ? ~Large : SmallMask)) >> ThreadBits);
    }

    public readonly int Thread => (int)(BytesAndThread & ((1 << ThreadBits) - 1));

    /// <summary>What tells the block from others of the same address and size that were born in the same millisecond:
    /// 0 to 2047; 0 for one of 64 GiB and more.</summary>
    public readonly uint Luck => (long)BytesAndThread < 0 ? 0 : (uint)(BytesAndThread >> (ThreadBits + SmallBits));

    private static ulong SmallMask => (1UL << (ThreadBits + SmallBits)) - 1;

    /// <summary>A value of <see cref="BytesAndThread"/>.</summary>
    /// <param name="bytes">Size; beyond <see cref="MaxBytes"/> that is kept.</param>
    /// <param name="thread">Index of the thread, 0 to 65,535.</param>
    /// <param name="luck">Its lowest 11 bits are kept.</param>
    public static ulong Pack(ulong bytes, int thread, uint luck = 0) => bytes >> SmallBits == 0
        ? ((ulong)luck << (ThreadBits + SmallBits) & ~Large) | (bytes << ThreadBits) | (ushort)thread
        : Large | (Math.Min(bytes, MaxBytes) << ThreadBits) | (ushort)thread;
}
