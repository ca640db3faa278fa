namespace NativeHeap.Memory.Holding;

/// <summary>A traced process is at its end, whichever way it took there.</summary>
/// <param name="held">It, its memory whole. Whoever takes it disposes it: then it ends.</param>
/// <param name="status">How it ends, as wait(2) will tell.</param>
public sealed class ProcessEndEventArgs(IHeldProcess held, int status) : EventArgs
{
    /// <summary>It, its memory whole.</summary>
    public IHeldProcess Held { get; } = held;

    /// <summary>How it ends, as wait(2) will tell.</summary>
    public int Status { get; } = status;

    /// <summary>Set by who disposes <see cref="Held"/> later; else the process ends at once.</summary>
    public bool IsTaken { get; set; }
}
