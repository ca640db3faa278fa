using NativeHeap.Collect.Sessions;
using NativeHeap.Model;

namespace NativeHeap.Collect.Checks;

/// <summary>What a recorded process is told, and tells, so that its threads park. For the thread of checks.</summary>
internal sealed class ThreadParking
{
    /// <summary>The signal that the shim takes: real-time, and used by neither glibc, .NET nor valgrind.</summary>
    public const int Signal = 53;

    /// <summary>Why a process cannot park, for a person.</summary>
    public static readonly string Taken = $"it makes use of signal {Signal} itself";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly DrainLoop _drain;
    private readonly ProcessId _process;
    private readonly CancellationToken _cancellation;

    /// <summary>Parking of one process's threads.</summary>
    public ThreadParking(DrainLoop drain, ProcessId process, CancellationToken cancellation)
    {
        _drain = drain;
        _process = process;
        _cancellation = cancellation;
    }

    /// <summary>Whether the process has taken the signal. Whoever has not would die of it, or take it for another's.</summary>
    public bool IsPossible => Ask(recording => recording.ParkSignal(_process)) == Signal;

    /// <summary>How many have parked in the round that was begun last.</summary>
    public uint Parked => Ask(recording => recording.Parked(_process));

    /// <summary>Begins a round; tells its number, null when the process has ended.</summary>
    private uint? Begin() => Ask(recording => recording.BeginParking(_process));

    /// <summary>Begins a round to hold the process in. It ends at once when it is not held, else with whoever holds it.</summary>
    /// <param name="hold">Holds it in the round of that number, or says why it cannot.</param>
    /// <param name="problem">Why it is not held; null also when the process has ended.</param>
    public T? Hold<T>(Func<uint, (T? Held, string? Problem)> hold, out string? problem)
        where T : class
    {
        problem = null;
        if (Begin() is not { } round)
        {
            return null;
        }

        T? held = null;
        try
        {
            (held, problem) = hold(round);
        }
        finally
        {
            if (held is null)
            {
                End(round);
            }
        }

        return held;
    }

    /// <summary>Lets threads go on.</summary>
    public void End(uint round) => _drain.Post(recording => recording.EndParking(_process, round));

    /// <summary>Has one of the parked threads make a copy of the process.</summary>
    /// <param name="round">In which they parked.</param>
    /// <param name="patience">How long the copy's answers may take.</param>
    /// <returns>The window to it, the caller's; null when there can be none.</returns>
    public MappedCopyWindow? AskForCopy(uint round, TimeSpan patience) =>
        Ask(recording => recording.AskForCopy(_process, round, patience));

    /// <summary>Null while the copy is being made, 0 when it is there, else an errno, or -1.</summary>
    public int? CopyResult(uint round) => Ask(recording => recording.CopyResult(_process, round));

    private T Ask<T>(Func<Recording, T> question) => _drain.Ask(question, s_patience, _cancellation);
}
