using NativeHeap.Collect.Checks;

namespace NativeHeap.Collect.Sessions;

/// <summary>How a command is recorded.</summary>
public sealed record SessionOptions
{
    /// <summary>Whether the processes that the command starts are recorded too.</summary>
    public bool FollowChildren { get; init; } = true;

    /// <summary>Mean bytes between sampled allocations; 0: every allocation is recorded.</summary>
    public long SampleBytes { get; init; }

    /// <summary>Whether anonymous memory that a program maps itself is recorded, too.</summary>
    public bool Mappings { get; init; }

    /// <summary>Most CPU time that recording may add to a process, in percent of its own: where it would be more, births are
    /// sampled from then on. An estimate. Null: as much as it takes.</summary>
    public int? MaxOverhead { get; init; }

    /// <summary>Told, once for a trace, that births are sampled for that reason. On a thread of the session.</summary>
    public Action<string>? OverheadExceeded { get; init; }

    /// <summary>Looks at processes for heap-checks; null: there are none.</summary>
    public IHeapExaminer? Examiner { get; init; }

    /// <summary>The heap-check at the end of every process; null: only when somebody asks.</summary>
    public CheckLevel? CheckAtEnd { get; init; }

    /// <summary>Decides on a check that a program has asked for itself: given the trace, the check's number, and whether
    /// only what is new counts. On the thread of checks. Null: nobody does.</summary>
    /// <exception cref="Model.ToolException">Thrown by it when the trace cannot be read.</exception>
    public Func<string, int, bool, CheckVerdict>? Judge { get; init; }

    /// <summary>How long a heap-check may take.</summary>
    public TimeSpan CheckTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Whether the recording goes on until the last of them has ended.</summary>
    public bool WaitForChildren { get; init; }

    /// <summary>Whether the command starts .NET: its runtime then waits at its start until its methods are being told.</summary>
    public bool ExpectsRuntime { get; init; }

    /// <summary>When snapshots are taken.</summary>
    public SnapshotOptions Snapshots { get; init; } = new();
}
