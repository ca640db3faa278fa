using System.Runtime.InteropServices;
using NativeHeap.Memory;
using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Symbols;

/// <summary>The kernel's library that is on no disk: ours is the target's when the build ids are equal.</summary>
internal static class Vdso
{
    private const ulong LargestImage = 1 << 20;

    /// <summary>True for the names that maps and the dynamic linker have for it.</summary>
    internal static bool IsVdso(string path) => path is "[vdso]" or "linux-vdso.so.1" or "linux-gate.so.1";

    /// <summary>A copy of our own; null when there is none or it is not of that build.</summary>
    internal static ElfFile? Open(string? buildId)
    {
        var mapping = new ProcessReader(Environment.ProcessId).ReadMappings()?
            .FirstOrDefault(mapping => mapping.Path == "[vdso]" && mapping.IsReadable);
        if (mapping is null || mapping.Size > LargestImage || buildId is null)
        {
            return null;
        }

        var bytes = new byte[mapping.Size];
        Marshal.Copy((nint)mapping.Start, bytes, 0, bytes.Length);
        return ElfFile.TryRead(new MemoryByteSource(bytes), out _) is { } file && file.BuildId == buildId ? file : null;
    }
}
