namespace NativeHeap.Model;

/// <summary>A process image's row in a trace, from 1; an exec starts a new one with the same pid.</summary>
/// <param name="Value">The row's id.</param>
public readonly record struct ProcessId(int Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"process {Value}";
}

/// <summary>A node of a trace's calling-context tree; 0 is the root, a parent's id is smaller than its child's.</summary>
/// <param name="Value">The row's id.</param>
public readonly record struct StackId(int Value)
{
    /// <summary>The root, which no row stands for.</summary>
    public static StackId Root => default;

    /// <inheritdoc/>
    public override string ToString() => $"stack {Value}";
}

/// <summary>A place in code, from 1.</summary>
/// <param name="Value">The row's id.</param>
public readonly record struct LocationId(int Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"location {Value}";
}
