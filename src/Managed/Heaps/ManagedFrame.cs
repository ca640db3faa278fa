using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>A managed method on a thread's stack.</summary>
/// <param name="Tid">The thread.</param>
/// <param name="StackPointer">Where its part of the stack begins.</param>
/// <param name="Method">ClrMD's description.</param>
public sealed record ManagedFrame(int Tid, ulong StackPointer, ClrMethod Method)
{
    /// <summary>Type, name and parameters. Asks ClrMD.</summary>
    public string Describe() => Method.Signature ?? Method.Name ?? "a method without a name";
}
