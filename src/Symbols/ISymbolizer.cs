using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>Names places in code. Not for several threads at once.</summary>
public interface ISymbolizer : IDisposable
{
    /// <summary>Remarks for a person, one line each: a binary that was rebuilt since, a tool that broke down, a file
    /// that is missing. Grows with <see cref="Resolve"/>, a line comes once.</summary>
    IReadOnlyList<string> Notes { get; }

    /// <summary>
    /// Names places, best many at once: work is ordered by binary. An offset is a return address, the instruction
    /// before it is what is looked up (<see cref="Location.Offset"/>). Never fails for want of symbols.
    /// </summary>
    /// <param name="locations">The places; those that are not native code of a known binary stay unresolved.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>For each place its functions, the innermost inlined one first; empty when it is unresolved.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    IReadOnlyList<IReadOnlyList<ResolvedFrame>> Resolve(
        IReadOnlyList<Location> locations, CancellationToken cancellation = default);
}
