namespace NativeHeap.Memory.Proc;

/// <summary>Where a process's resident memory was at one look, in bytes. The kernel counts shared pages in full in
/// every process that maps them, and so do these.</summary>
/// <param name="RssBytes">Resident set size, the figure of ps and top (statm, read after the parts).</param>
/// <param name="MappedFileBytes">Pages of mapped files, copied-on-write ones included.</param>
/// <param name="HeapBytes">[heap] and anonymous memory that is nothing else.</param>
/// <param name="ThreadStackBytes">Stacks of the main and the other threads.</param>
/// <param name="SharedMemoryBytes">memfd, System V, /dev/shm and shared anonymous memory.</param>
/// <param name="ProfilerBytes">Our own: the shim, its region and its named memory.</param>
/// <param name="OtherBytes">vdso, vvar, devices.</param>
public sealed record ResidentMemory(
    long RssBytes,
    long MappedFileBytes,
    long HeapBytes,
    long ThreadStackBytes,
    long SharedMemoryBytes,
    long ProfilerBytes,
    long OtherBytes)
{
    /// <summary>RSS less the parts: what changed between the two reads, and the slack of the kernel's per-CPU
    /// counters (up to a few dozen pages a CPU); negative when the parts saw more.</summary>
    public long UnexplainedBytes => RssBytes - MappedFileBytes - HeapBytes - ThreadStackBytes - SharedMemoryBytes
        - ProfilerBytes - OtherBytes;

    /// <summary>The parts by name, in a fixed order; with <see cref="UnexplainedBytes"/> they add up to RSS.</summary>
    public IReadOnlyList<(string Name, long Bytes)> Parts =>
    [
        ("mapped files", MappedFileBytes),
        ("heap", HeapBytes),
        ("thread stacks", ThreadStackBytes),
        ("shared memory", SharedMemoryBytes),
        ("profiler", ProfilerBytes),
        ("other", OtherBytes),
    ];
}
