namespace NativeHeap.Model;

/// <summary>A binary on disk, whoever loaded it.</summary>
/// <param name="Path">Its path when it was loaded.</param>
/// <param name="BuildId">Lower-case hex; null when it has none.</param>
public sealed record Binary(string Path, string? BuildId);

/// <summary>A place in code, named by a binary and an address in it.</summary>
/// <param name="Module">The binary; null when none was known there.</param>
/// <param name="Offset">
/// ELF virtual address of the return address (look up <c>Offset - 1</c>); absolute without a module; the marker's value
/// for <see cref="FrameKind.Entry"/> and <see cref="FrameKind.Marker"/>.
/// </param>
/// <param name="Kind">What the place is.</param>
public sealed record Location(Binary? Module, ulong Offset, FrameKind Kind);
