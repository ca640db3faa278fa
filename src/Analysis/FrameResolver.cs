using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>
/// Finds names for places in code when a trace has none, because it was not closed. One list for each location, in the
/// same order: the innermost inlined function first, empty when nothing is known.
/// </summary>
/// <param name="locations">Native places; those without a module are not asked for.</param>
public delegate IReadOnlyList<IReadOnlyList<ResolvedFrame>> FrameResolver(IReadOnlyList<Location> locations);
