using System.Runtime.InteropServices;
using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>Tells programs of another processor. An emulator runs them, and its own memory is in the process too: nobody can
/// tell the two apart from outside.</summary>
internal static class EmulatedProcess
{
    private const string Shim = "/libnativeheap.so";

    /// <summary>Whether the shim that a process has loaded is built for another processor than this one.</summary>
    /// <param name="mappings">Of the process; none: false.</param>
    /// <param name="memory">Of the same.</param>
    public static bool Is(IReadOnlyList<MemoryMapping> mappings, IMemoryReader memory)
    {
        Span<byte> start = stackalloc byte[ElfHeader.MaximumSize];
        return mappings.FirstOrDefault(mapping => mapping.Offset == 0 && mapping.Path.EndsWith(Shim, StringComparison.Ordinal)) is { } shim
            && memory.Read(shim.Start, start) == start.Length
            && ElfHeader.TryParse(start, out var header)
            && header.Machine != OwnMachine;
    }

    private static ElfMachine OwnMachine =>
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? ElfMachine.AArch64 : ElfMachine.X86_64;
}
