using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>How a block was reached, in the upper bits of its <see cref="HeapBlock.BytesAndState"/>.</summary>
internal static class BlockState
{
    /// <summary>Not, so far.</summary>
    public const ulong Unreached = 0;

    /// <summary>By a pointer into its midst, or from a block that was reached so.</summary>
    public const ulong Possible = 1;

    /// <summary>From a root by pointers to starts.</summary>
    public const ulong Reachable = 2;

    /// <summary>It is no block any more.</summary>
    public const ulong Gone = 3;

    public static ulong Of(in HeapBlock block) => block.BytesAndState >> HeapBlock.StateShift;

    public static void Set(ref HeapBlock block, ulong state) =>
        block.BytesAndState = block.Bytes | (state << HeapBlock.StateShift);
}
