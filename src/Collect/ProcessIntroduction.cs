using NativeHeap.Model;

namespace NativeHeap.Collect;

/// <summary>What is known of a process image when it says hello.</summary>
/// <param name="Pid">In its own pid namespace.</param>
/// <param name="ParentPid">Null when unknown.</param>
/// <param name="StartNs">CLOCK_MONOTONIC of its first moment.</param>
/// <param name="Command">Arguments joined by spaces; null when unknown.</param>
/// <param name="Executable">Path; null when unknown.</param>
/// <param name="Origin">How it came to be. <see cref="ProcessOrigin.Spawn"/> becomes
/// <see cref="ProcessOrigin.Exec"/> when the pid was recorded before and its image has not ended.</param>
public sealed record ProcessIntroduction(
    int Pid, int? ParentPid, ulong StartNs, string? Command, string? Executable, ProcessOrigin Origin);

/// <summary>A forked child that was found in a region.</summary>
/// <param name="Id">Its row.</param>
/// <param name="Pid">In its own pid namespace.</param>
/// <param name="ParentId">The process it was forked from, which may have ended.</param>
/// <param name="Region">The region that both share.</param>
public sealed record ForkedProcess(ProcessId Id, int Pid, ProcessId ParentId, IRegionMemory Region);
