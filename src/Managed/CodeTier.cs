namespace NativeHeap.Managed;

/// <summary>How a method's code came to be; the words of the runtime, and of the trace in lower case.</summary>
public enum CodeTier
{
    /// <summary>The runtime did not say.</summary>
    Unknown,

    /// <summary>Compiled without optimization, because it was asked for.</summary>
    MinOpts,

    /// <summary>Compiled once, optimized: not tiered.</summary>
    Optimized,

    /// <summary>The first, quick compilation.</summary>
    Tier0,

    /// <summary>Compiled again, optimized.</summary>
    Tier1,

    /// <summary>Compiled anew while it ran in a loop (on-stack replacement).</summary>
    Osr,

    /// <summary>Tier 0 that counts for tier 1.</summary>
    Tier0Instrumented,

    /// <summary>Tier 1 that counts for a better tier 1.</summary>
    Tier1Instrumented,

    /// <summary>Compiled before it was shipped (ReadyToRun).</summary>
    ReadyToRun,

    /// <summary>Made by the runtime: marshalling and other stubs, and methods that programs emit.</summary>
    Dynamic,
}
