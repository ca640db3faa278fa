using System.Runtime.InteropServices;

namespace NativeHeap.Client;

/// <summary>What a heap-check found; bytes are requested bytes.</summary>
/// <param name="DefiniteBytes">Of blocks that nothing points to.</param>
/// <param name="DefiniteBlocks">How many those are.</param>
/// <param name="IndirectBytes">Of blocks that are lost with them.</param>
/// <param name="IndirectBlocks">How many those are.</param>
/// <param name="PossibleBytes">Of blocks into whose midst something points.</param>
/// <param name="PossibleBlocks">How many those are.</param>
/// <param name="ReachableBytes">Of blocks that are held.</param>
/// <param name="ReachableBlocks">How many those are.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct HeapLeaks(
    long DefiniteBytes,
    long DefiniteBlocks,
    long IndirectBytes,
    long IndirectBlocks,
    long PossibleBytes,
    long PossibleBlocks,
    long ReachableBytes,
    long ReachableBlocks)
{
    /// <summary>Bytes that are definitely or indirectly lost.</summary>
    public long LostBytes => DefiniteBytes + IndirectBytes;

    /// <summary>Blocks that are definitely or indirectly lost.</summary>
    public long LostBlocks => DefiniteBlocks + IndirectBlocks;
}
