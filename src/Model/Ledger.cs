namespace NativeHeap.Model;

/// <summary>Where a process's resident memory was at one moment; parts and the unexplained rest add up to RSS.</summary>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
/// <param name="RssBytes">Resident set size.</param>
/// <param name="Parts">Named parts, largest first.</param>
/// <param name="UnexplainedBytes">What no part accounts for; negative when parts overlap.</param>
public sealed record Ledger(long TimeNs, long RssBytes, IReadOnlyList<LedgerPart> Parts, long UnexplainedBytes);

/// <summary>One part of resident memory.</summary>
/// <param name="Name">For instance <c>heap live</c>.</param>
/// <param name="Bytes">Resident bytes.</param>
public sealed record LedgerPart(string Name, long Bytes);

/// <summary>Names of the parts that something is made of.</summary>
public static class LedgerParts
{
    /// <summary>Requested bytes of live blocks.</summary>
    public const string Live = "live native blocks";

    /// <summary>What malloc adds to its live blocks.</summary>
    public const string Overhead = "allocator overhead";

    /// <summary>What malloc has and no live block needs.</summary>
    public const string Kept = "kept by malloc";

    /// <summary>The same of other allocators, with their overhead.</summary>
    public const string OtherAllocators = "other allocators";

    /// <summary>All of malloc, where live blocks are not known one by one.</summary>
    public const string Malloc = "malloc heap";

    /// <summary>What CPython's own allocator has given out.</summary>
    public const string PythonObjects = "Python objects";

    /// <summary>The rest of what that allocator has.</summary>
    public const string PythonKept = "kept by Python";

    /// <summary>Pages of V8's heap.</summary>
    public const string JavaScript = "JavaScript heap";

    /// <summary>Anonymous memory that is nothing else.</summary>
    public const string Anonymous = "other anonymous";

    /// <summary>Whether a part holds native blocks.</summary>
    public static bool IsNativeHeap(string part) => part is Live or Overhead or Kept or OtherAllocators or Malloc;
}

/// <summary>A figure beside the parts of a ledger.</summary>
/// <param name="TimeNs">Nanoseconds since the trace's start.</param>
/// <param name="Name">One of <see cref="LedgerGauges"/>.</param>
/// <param name="Bytes">How much.</param>
public readonly record struct LedgerGauge(long TimeNs, string Name, long Bytes);

/// <summary>Names of the figures beside the parts.</summary>
public static class LedgerGauges
{
    /// <summary>Requested bytes of live blocks on pages that were never touched; not resident.</summary>
    public const string Untouched = "untouched";

    /// <summary>Anonymous memory that the process has mapped itself, resident or not.</summary>
    public const string Mapped = "mapped";

    /// <summary>Bytes of objects in .NET's GC heap after a collection.</summary>
    public const string GcUsed = "GC used";

    /// <summary>What .NET's collector has committed, resident or not.</summary>
    public const string GcCommitted = "GC committed";
}

/// <summary>The garbage collector of .NET held all threads.</summary>
/// <param name="TimeNs">When it began to, nanoseconds since the trace's start.</param>
/// <param name="DurationNs">For how long.</param>
/// <param name="Generation">The oldest generation that was collected; -1: not known.</param>
public readonly record struct GcPause(long TimeNs, long DurationNs, int Generation);
