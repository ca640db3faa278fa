namespace NativeHeap.Collect.Stacks;

/// <summary>A module as a process has it, or had it.</summary>
internal sealed class LoadedModule
{
    /// <summary>Row of its mapping, from 1.</summary>
    public required int Row { get; init; }

    /// <summary>The trace's module.</summary>
    public required int Module { get; init; }

    public required ulong Start { get; init; }

    /// <summary>One past the last address.</summary>
    public required ulong End { get; init; }

    public required ulong Bias { get; init; }

    /// <summary>The unwinder's generation from which on its addresses mean this module.</summary>
    public required uint Generation { get; init; }

    /// <summary>Nanoseconds since the trace's start.</summary>
    public required long LoadNs { get; init; }

    /// <summary>Null while it is loaded.</summary>
    public long? UnloadNs { get; set; }

    /// <summary>The record it came from, -1 when it did not come from the shim.</summary>
    public int Record { get; init; } = -1;

    public bool Dirty { get; set; } = true;
}
