using NativeHeap.Memory.Malloc;

namespace NativeHeap.Memory.Proc;

/// <summary>Where a process's resident memory was at one look, in bytes. The kernel counts shared pages in full in
/// every process that maps them, and so do these.</summary>
/// <param name="RssBytes">Resident set size, the figure of ps and top (statm, read after the parts).</param>
/// <param name="MappedFileBytes">Pages of mapped files, copied-on-write ones included.</param>
/// <param name="MallocBytes">[heap], and what malloc's arenas and large blocks were found to have.</param>
/// <param name="GcHeapBytes">What .NET's collector has committed of the range that it reserves.</param>
/// <param name="AnonymousBytes">Anonymous memory that is nothing else: of other allocators, of mmap.</param>
/// <param name="ThreadStackBytes">Stacks of the main and the other threads.</param>
/// <param name="SharedMemoryBytes">memfd, System V, /dev/shm and shared anonymous memory.</param>
/// <param name="JitBytes">Code that was made while it runs: anonymous memory that may be executed; code and loader heaps of
/// .NET, which it maps from a memfd of its own, in parts twice: to write and to execute.</param>
/// <param name="ProfilerBytes">Our own: the shim, its region and its named memory.</param>
/// <param name="OtherBytes">vdso, vvar, devices.</param>
public sealed record ResidentMemory(
    long RssBytes,
    long MappedFileBytes,
    long MallocBytes,
    long GcHeapBytes,
    long AnonymousBytes,
    long ThreadStackBytes,
    long SharedMemoryBytes,
    long JitBytes,
    long ProfilerBytes,
    long OtherBytes)
{
    /// <summary>What .NET's collector has committed: the mappings of its reservation that are not inaccessible, resident or
    /// not.</summary>
    public long GcCommittedBytes { get; init; }

    /// <summary>Whether a file of CPython is mapped.</summary>
    public bool HasPython { get; init; }

    /// <summary>What malloc has.</summary>
    public MallocMemory Malloc { get; init; } = MallocMemory.None;

    /// <summary>The mappings of <see cref="AnonymousBytes"/> and of <see cref="GcHeapBytes"/>, by rising address.</summary>
    public IReadOnlyList<AnonymousMapping> Anonymous { get; init; } = [];

    /// <summary>RSS less the parts: what changed between the two reads, and the slack of the kernel's per-CPU
    /// counters (up to a few dozen pages a CPU); negative when the parts saw more.</summary>
    public long UnexplainedBytes => RssBytes - MappedFileBytes - MallocBytes - GcHeapBytes - AnonymousBytes
        - ThreadStackBytes - SharedMemoryBytes
        - JitBytes - ProfilerBytes - OtherBytes;

    /// <summary>The parts by name, in a fixed order; with <see cref="UnexplainedBytes"/> they add up to RSS.</summary>
    public IReadOnlyList<(string Name, long Bytes)> Parts =>
    [
        ("mapped files", MappedFileBytes),
        ("malloc heap", MallocBytes),
        ("GC heap", GcHeapBytes),
        ("other anonymous", AnonymousBytes),
        ("thread stacks", ThreadStackBytes),
        ("shared memory", SharedMemoryBytes),
        ("JIT and loader", JitBytes),
        ("profiler", ProfilerBytes),
        ("other", OtherBytes),
    ];
}

/// <summary>Private anonymous memory.</summary>
/// <param name="Range">Where.</param>
/// <param name="ResidentBytes">How much of it is resident.</param>
/// <param name="IsGcHeap">It lies in what .NET's collector has reserved.</param>
public readonly record struct AnonymousMapping(AddressRange Range, long ResidentBytes, bool IsGcHeap);
