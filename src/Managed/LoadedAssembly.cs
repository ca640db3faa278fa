namespace NativeHeap.Managed;

/// <summary>A module of .NET that a process loaded.</summary>
/// <param name="Path">Its file as the runtime spells it; the simple name of an assembly that has none.</param>
/// <param name="PdbId">Id of the PDB it was built with; null when it has none, or the runtime did not tell.</param>
public sealed record LoadedAssembly(string Path, Guid? PdbId);
