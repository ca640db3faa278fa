using NativeHeap.Model;

namespace NativeHeap.Graph.Objects;

/// <summary>The live blocks of a process as its recording knows them.</summary>
/// <param name="Blocks">Whoever gets them disposes them.</param>
/// <param name="AreAll">False: there may be others, of which only the allocator knows.</param>
public readonly record struct RecordedBlocks(HeapBlocks Blocks, bool AreAll);
