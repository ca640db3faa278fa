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
