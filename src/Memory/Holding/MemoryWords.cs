using System.Runtime.InteropServices;

namespace NativeHeap.Memory.Holding;

/// <summary>Single values out of a process's memory.</summary>
public static class MemoryWords
{
    /// <summary>A word of eight bytes.</summary>
    /// <returns>False when it cannot be read.</returns>
    public static bool TryReadWord(this IMemoryReader memory, ulong address, out ulong value)
    {
        ArgumentNullException.ThrowIfNull(memory);
        value = 0;
        return memory.Read(address, MemoryMarshal.AsBytes(new Span<ulong>(ref value))) == sizeof(ulong);
    }

    /// <summary>Several words.</summary>
    /// <returns>How many could be read, from the first on.</returns>
    public static int ReadWords(this IMemoryReader memory, ulong address, Span<ulong> words)
    {
        ArgumentNullException.ThrowIfNull(memory);
        return memory.Read(address, MemoryMarshal.AsBytes(words)) / sizeof(ulong);
    }
}
