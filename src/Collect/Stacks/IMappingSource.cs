namespace NativeHeap.Collect.Stacks;

/// <summary>Where a process has its modules, asked when the shim's own table does not say.</summary>
public interface IMappingSource
{
    /// <summary>The modules that a living process has mapped now.</summary>
    /// <param name="pid">The process.</param>
    /// <returns>Null when it cannot be told: the process is gone, or we may not look.</returns>
    IReadOnlyList<MappedModule>? Read(int pid);
}

/// <summary>A binary in a process's address space.</summary>
/// <param name="Path">Where it lies on disk.</param>
/// <param name="BuildId">Lower-case hex; null when it has none.</param>
/// <param name="Start">First address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Bias">Address minus ELF virtual address.</param>
public sealed record MappedModule(string Path, string? BuildId, ulong Start, ulong End, ulong Bias);
