namespace NativeHeap.Memory.Holding;

/// <summary>A thread that does not run.</summary>
/// <param name="Tid">In our pid namespace.</param>
/// <param name="Registers">Null when they could not be had.</param>
public sealed record HeldThread(int Tid, ThreadRegisters? Registers);

/// <summary>What a thread had in its registers.</summary>
/// <param name="StackPointer">rsp.</param>
/// <param name="InstructionPointer">rip.</param>
/// <param name="ThreadPointer">The base of fs: the address of the C library's struct for the thread; 0: unknown.</param>
/// <param name="IsInSystemCall">It called the kernel, by a function: nothing below its stack pointer is in use.</param>
/// <param name="Words">Every word that may hold a pointer: general registers, then vector registers.</param>
public sealed record ThreadRegisters(
    ulong StackPointer, ulong InstructionPointer, ulong ThreadPointer, bool IsInSystemCall, ReadOnlyMemory<ulong> Words)
{
    /// <summary>How many of the first words a function call preserves (psABI, 3.2.1): r15 to r12, rbp, rbx.</summary>
    public const int PreservedWords = 6;
}
