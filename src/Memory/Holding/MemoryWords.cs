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

    /// <summary>Everything, with zeros for what cannot be read.</summary>
    public static void ReadOrZero(this IMemoryReader memory, ulong address, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(memory);
        const ulong page = 4096;
        for (var done = 0; done < destination.Length;)
        {
            done += memory.Read(address + (ulong)done, destination[done..]);
            if (done < destination.Length)
            {
                var at = address + (ulong)done;
                var next = (int)Math.Min((ulong)destination.Length, (ulong)done + (page - (at % page)));
                destination[done..next].Clear();
                done = next;
            }
        }
    }
}
