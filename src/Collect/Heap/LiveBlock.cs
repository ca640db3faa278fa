using NativeHeap.Wire;

namespace NativeHeap.Collect.Heap;

/// <summary>A live block in 24 bytes.</summary>
internal struct LiveBlock
{
    /// <summary>Largest size that can be kept; no allocator hands out more.</summary>
    public const ulong MaxBytes = (1UL << 48) - 1;

    /// <summary>Address; 0 marks an empty place.</summary>
    public ulong Address;

    /// <summary>Size in the upper 48 bits, index of the thread in the lower 16.</summary>
    public ulong BytesAndThread;

    /// <summary>Index of the stack in its process's totals.</summary>
    public int Stack;

    /// <summary>Milliseconds since the trace's start.</summary>
    public uint BirthMs;

    /// <summary>Whether a pool of the program's own gave it: it lies in another block or a mapping.</summary>
    public readonly bool IsPools => (Address & WireConstants.PoolBlockBit) != 0;

    public readonly long Bytes => (long)(BytesAndThread >> 16);

    public readonly int Thread => (int)(BytesAndThread & 0xFFFF);

    public static ulong Pack(ulong bytes, int thread) => (Math.Min(bytes, MaxBytes) << 16) | (ushort)thread;
}
