using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>Where places in code wait for their names: a trace that is being closed, or one that never was.</summary>
public interface ILocationStore
{
    /// <summary>The native places that have no frames yet.</summary>
    IReadOnlyList<UnresolvedLocation> Unresolved { get; }

    /// <summary>Takes the frames of some places, at least one frame each.</summary>
    void Store(IReadOnlyList<ResolvedLocation> resolved);
}

/// <summary>A place in code that has no name yet.</summary>
/// <param name="Id">Its row.</param>
/// <param name="Location">The place.</param>
public readonly record struct UnresolvedLocation(LocationId Id, Location Location);

/// <summary>What a place in code resolved to.</summary>
/// <param name="Id">Its row.</param>
/// <param name="Frames">At least one; the innermost inlined function first.</param>
public readonly record struct ResolvedLocation(LocationId Id, IReadOnlyList<ResolvedFrame> Frames);
