namespace NativeHeap.Model;

/// <summary>One function that a place in code stands for; a place in inlined code stands for several.</summary>
/// <param name="Function">Demangled name, null when no symbol covers the place.</param>
/// <param name="File">Source file as the debug information spells it, null when unknown.</param>
/// <param name="Line">Line in <paramref name="File"/>, from 1; null when unknown.</param>
/// <param name="Inlined">True when it was inlined into the function that follows it in the list.</param>
public sealed record ResolvedFrame(string? Function, string? File, int? Line, bool Inlined);
