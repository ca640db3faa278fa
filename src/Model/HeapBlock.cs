using System.Runtime.InteropServices;

namespace NativeHeap.Model;

/// <summary>A live block of a heap.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct HeapBlock
{
    /// <summary>What the allocation function returned.</summary>
    public ulong Address;

    /// <summary>Requested bytes (48 bits), and above them the state of whoever works on the block.</summary>
    public ulong BytesAndState;

    /// <summary>Whose it is: a number of the heap's stacks.</summary>
    public int Stack;

    /// <summary>Free for whoever works on the block.</summary>
    public int Link;

    /// <summary>Bits of <see cref="BytesAndState"/> that are bytes.</summary>
    public const int StateShift = 48;

    /// <summary>Requested bytes.</summary>
    public readonly ulong Bytes => BytesAndState & ((1UL << StateShift) - 1);

    /// <summary>Bytes that a pointer may point into: a block without bytes counts as one byte wide.</summary>
    public readonly ulong Width => Math.Max(1, Bytes);

    /// <summary>One past the last byte.</summary>
    public readonly ulong End => Address + Width;
}
