using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Stacks;

/// <summary>A return address in code that no binary's code covers: compiled at run time, or of an assembly.</summary>
/// <param name="location">The trace's location.</param>
/// <param name="process">Whose.</param>
/// <param name="address">Return address.</param>
/// <param name="epoch">Counts what was there one after the other, from 1; 0: code that stays.</param>
internal sealed class CodePlace(int location, ProcessId process, ulong address, int epoch)
{
    public int Location { get; } = location;

    public ProcessId Process { get; } = process;

    public ulong Address { get; } = address;

    public int Epoch { get; } = epoch;

    /// <summary>When a stack with it allocated first, milliseconds since the trace's start.</summary>
    public uint SeenMs { get; set; }

    /// <summary>Its row.</summary>
    public CodeRow ToRow(int? method = null, int? ilOffset = null) => new(
        new LocationId(Location), Process, Address, Epoch, SeenMs * 1_000_000L, method, ilOffset);
}
