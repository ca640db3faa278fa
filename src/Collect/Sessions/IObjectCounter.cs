namespace NativeHeap.Collect.Sessions;

/// <summary>Counts the objects of a process by type when a snapshot is due.</summary>
public interface IObjectCounter
{
    /// <summary>Begins to count: whoever does it holds the process, has the snapshot taken by
    /// <see cref="ControlClient.TakeDueSnapshot"/> while it stands still, and adds what it counted to the trace. Any thread.
    /// </summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="cancellation">Breaks it off.</param>
    /// <returns>Ends when nobody counts any more, with null or with why objects could not be counted; null when it cannot
    /// be begun now.</returns>
    Task<string?>? TryBegin(int pid, CancellationToken cancellation);
}
