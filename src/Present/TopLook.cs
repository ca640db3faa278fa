using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present;

/// <summary>What <c>top</c> orders stacks by.</summary>
public enum TopOrder
{
    /// <summary>Live now.</summary>
    Live,

    /// <summary>Allocated in the last minute and live now.</summary>
    Grown,

    /// <summary>Allocated ever.</summary>
    Allocated,

    /// <summary>Live at the peak.</summary>
    Peak,
}

/// <summary>One look at a trace that is being recorded.</summary>
/// <param name="Process">The process, as the trace has it.</param>
/// <param name="IsExact">False: figures are estimates.</param>
/// <param name="Totals">Its totals.</param>
/// <param name="Ledger">Where its resident memory was last; null when nobody looked.</param>
/// <param name="Order">What the stacks are ordered by.</param>
/// <param name="Stacks">The first stacks in that order.</param>
public sealed record TopLook(
    ProcessInfo Process, bool IsExact, Totals Totals, Ledger? Ledger, TopOrder Order, IReadOnlyList<StackCost> Stacks)
{
    private const long RecentNs = 60_000_000_000;

    /// <summary>Looks at a process of a trace.</summary>
    /// <param name="profile">The trace, as of now.</param>
    /// <param name="pid">A pid of the trace.</param>
    /// <param name="order">What to order by.</param>
    /// <param name="most">How many stacks are wanted.</param>
    /// <returns>Null when the trace does not know the pid yet.</returns>
    /// <exception cref="Trace.TraceException">The trace cannot be read.</exception>
    public static TopLook? Take(Profile profile, int pid, TopOrder order, int most)
    {
        ArgumentNullException.ThrowIfNull(profile);
        if (profile.Processes.LastOrDefault(process => process.Pid == pid) is not { } process)
        {
            return null;
        }

        var totals = profile.Totals(pid);
        var question = new StackQuestion { Pid = pid, Top = most, By = StackMeasure.Live };
        question = order switch
        {
            TopOrder.Grown => question with { By = null, FromNs = Math.Max(0, totals.DurationNs - RecentNs) },
            TopOrder.Allocated => question with { By = StackMeasure.Allocated },
            TopOrder.Peak => question with { By = StackMeasure.Peak },
            _ => question,
        };
        var ledgers = profile.Ledgers(pid);
        return new TopLook(
            process,
            profile.Info.Exact,
            totals,
            ledgers.Count > 0 ? ledgers[^1] : null,
            order,
            profile.Ask(question).Stacks);
    }
}
