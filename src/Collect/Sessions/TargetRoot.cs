using Microsoft.Win32.SafeHandles;

namespace NativeHeap.Collect.Sessions;

/// <summary>The command that was started.</summary>
/// <param name="Pid">As the supervisor sees it.</param>
/// <param name="Process">A pidfd of it; may be invalid.</param>
/// <param name="StartNs">CLOCK_MONOTONIC just before it was started.</param>
/// <param name="Command">Its command line.</param>
internal sealed record TargetRoot(int Pid, SafeFileHandle Process, ulong StartNs, string Command);
