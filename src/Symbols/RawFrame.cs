namespace NativeHeap.Symbols;

/// <summary>One function at a place in code, as a tool or a symbol table names it.</summary>
/// <param name="Name">Linkage name, mangled; null when unknown.</param>
/// <param name="File">Source file; null when unknown.</param>
/// <param name="Line">From 1; 0 when unknown.</param>
internal readonly record struct RawFrame(string? Name, string? File, int Line);
