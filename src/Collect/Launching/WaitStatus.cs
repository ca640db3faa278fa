namespace NativeHeap.Collect.Launching;

/// <summary>How a process ended, as waitpid(2) tells.</summary>
/// <param name="ExitCode">Null when a signal ended it.</param>
/// <param name="Signal">Null when it exited.</param>
public readonly record struct WaitStatus(int? ExitCode, int? Signal)
{
    /// <summary>Takes a status apart.</summary>
    public static WaitStatus Of(uint status) => (status & 0x7f) == 0
        ? new WaitStatus((int)(status >> 8) & 0xff, null)
        : new WaitStatus(null, (int)(status & 0x7f));

    /// <summary>What a shell would say: the exit code, or 128 and the signal.</summary>
    public int Code => ExitCode ?? 128 + Signal!.Value;
}
